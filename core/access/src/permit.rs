//! What one Client may do.
//!
//! A permit is a list of steps, compiled when the Client connects. The first rule that speaks of a topic decides, and
//! what nothing speaks of is refused. Whoever may do everything has no list, and asking costs one branch.

use std::sync::Arc;

use martlet_topic::{SubscriptionFilter, TopicName};

use crate::rule_set::{Action, RuleSet};
use crate::{Decision, Defaults, Refusal};

/// What one Client may do: cheap to clone, immutable, and replaced as a whole when the rules change.
#[derive(Debug, Clone, Default)]
pub struct Permit(Option<Arc<Steps>>);

/// What a permit goes through, in this order, until something decides.
#[derive(Debug)]
struct Steps {
    steps: Box<[Step]>,
    /// What is said when nothing decided.
    refusal: Refusal<'static>,
}

/// One step of a permit.
#[derive(Debug)]
pub(crate) enum Step {
    /// The first of these rules that speaks of the topic decides.
    Rules(Arc<RuleSet>),
    /// What is marked here is allowed.
    Allow {
        /// What is allowed.
        defaults: Defaults,
        /// Whether that holds for `$CONTROL` topics as well, with which the node itself is changed.
        control: bool,
    },
}

impl Permit {
    /// A permit that refuses nothing.
    pub const fn everything() -> Self {
        Self(None)
    }

    /// A permit that refuses everything.
    pub fn nothing() -> Self {
        Self::of(Vec::new(), Refusal::Unlisted)
    }

    /// A permit of these steps, and what it says when none of them decides.
    pub(crate) fn of(steps: Vec<Step>, refusal: Refusal<'static>) -> Self {
        Self(Some(Arc::new(Steps { steps: steps.into(), refusal })))
    }

    /// True when nothing is refused, so that no answer need be asked for.
    #[inline]
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// May the Client publish to `topic`?
    #[inline]
    pub fn publish(&self, topic: TopicName<'_>) -> Decision<'_> {
        self.decide(Action::Publish(topic))
    }

    /// May the Client be sent a Message of `topic`?
    #[inline]
    pub fn receive(&self, topic: TopicName<'_>) -> Decision<'_> {
        self.decide(Action::Receive(topic))
    }

    /// May the Client subscribe to `filter`? A Shared Subscription is asked about as the Client spelt it, with its
    /// `$share/GROUP/`, for that is how roles spell it.
    #[inline]
    pub fn subscribe(&self, filter: &SubscriptionFilter) -> Decision<'_> {
        if self.is_everything() {
            return Decision::Allow;
        }
        if filter.is_shared() {
            return self.decide(Action::Subscribe(&filter.to_string()));
        }
        self.decide(Action::Subscribe(filter.filter.as_str()))
    }

    /// May the Client unsubscribe from `filter`?
    #[inline]
    pub fn unsubscribe(&self, filter: &SubscriptionFilter) -> Decision<'_> {
        if self.is_everything() {
            return Decision::Allow;
        }
        if filter.is_shared() {
            return self.decide(Action::Unsubscribe(&filter.to_string()));
        }
        self.decide(Action::Unsubscribe(filter.filter.as_str()))
    }

    #[inline]
    fn decide(&self, action: Action<'_>) -> Decision<'_> {
        match &self.0 {
            None => Decision::Allow,
            Some(steps) => steps.decide(action),
        }
    }
}

impl Steps {
    fn decide(&self, action: Action<'_>) -> Decision<'_> {
        for step in &self.steps {
            let decision = match step {
                Step::Rules(rules) => rules.decide(action),
                Step::Allow { defaults, control } => {
                    let is_allowed = defaults.allow(action) && (*control || !action.is_control());
                    is_allowed.then_some(Decision::Allow)
                }
            };
            if let Some(decision) = decision {
                return decision;
            }
        }
        Decision::Deny(self.refusal)
    }
}
