//! The fold never decides again: after every commit, replaying the journal gives the live state.

use std::sync::Arc;

use martlet_broker::{Dialect, Node, Outbox, Recovery};
use martlet_record::MemoryJournal;
use martlet_session::Overflow;
use martlet_simulator::World;
use proptest::prelude::*;

use play::{Play, durable_state, narrow, retained, step};

mod play;

fn new_play(overflow: Overflow) -> Play<MemoryJournal> {
    let mut settings = narrow(Dialect::NATIVE);
    settings.queue.overflow = overflow;
    Play::new(World::with_journal(settings, MemoryJournal::new().remembering()))
}

/// What the live node would lose by dying now, and what its journal gives back.
fn compare(play: &mut Play<MemoryJournal>) {
    let world = &mut play.world;
    let node = Arc::new(Node::new(world.node.settings.clone(), 42));
    let mut recovery = Recovery::new(Arc::clone(&node));
    world.history().iter().for_each(|done| recovery.fold(&done.batch, done.position));
    assert_eq!(durable_state(recovery.shards()), durable_state(world.shards()));
    recovery.finish(world.now(), &mut Outbox::default());
    assert_eq!(retained(&node), retained(&world.node));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_gives_back_the_live_state_after_every_step(
        steps in prop::collection::vec(step(), 1..60),
        oldest in any::<bool>(),
    ) {
        let mut play = new_play(if oldest { Overflow::DropOldest } else { Overflow::DropNewest });
        for step in &steps {
            play.take(step);
            compare(&mut play);
        }
        prop_assert!(play.world.counters().ledger.is_balanced(), "{:?}", play.world.counters().ledger);
    }
}
