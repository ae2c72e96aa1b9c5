//! Choices as the numbers they are written with. Never renumbered.

use martlet_packet::{QoS, RetainHandling, SubscriptionOptions};

use crate::{Ending, KeptProgress, Settled};

const OPTION_QOS: u8 = 0b0000_0011;
const OPTION_NO_LOCAL: u8 = 0b0000_0100;
const OPTION_RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const OPTION_RETAIN_HANDLING_SHIFT: u8 = 4;

pub(super) const fn settled(how: Settled) -> u8 {
    match how {
        Settled::Delivered => 0,
        Settled::Refused => 1,
        Settled::Expired => 2,
        Settled::QueueFull => 3,
        Settled::TooLarge => 4,
        Settled::Replaced => 5,
        Settled::Damaged => 6,
        Settled::Denied => 7,
    }
}

pub(super) const fn settled_from(number: u8) -> Option<Settled> {
    Some(match number {
        0 => Settled::Delivered,
        1 => Settled::Refused,
        2 => Settled::Expired,
        3 => Settled::QueueFull,
        4 => Settled::TooLarge,
        5 => Settled::Replaced,
        6 => Settled::Damaged,
        7 => Settled::Denied,
        _ => return None,
    })
}

pub(super) const fn ending(why: Ending) -> u8 {
    match why {
        Ending::CleanStart => 0,
        Ending::Expired => 1,
    }
}

pub(super) const fn ending_from(number: u8) -> Option<Ending> {
    Some(match number {
        0 => Ending::CleanStart,
        1 => Ending::Expired,
        _ => return None,
    })
}

pub(super) const fn progress(progress: KeptProgress) -> u8 {
    match progress {
        KeptProgress::Queued => 0,
        KeptProgress::Sent => 1,
        KeptProgress::Released => 2,
    }
}

pub(super) const fn progress_from(number: u8) -> Option<KeptProgress> {
    Some(match number {
        0 => KeptProgress::Queued,
        1 => KeptProgress::Sent,
        2 => KeptProgress::Released,
        _ => return None,
    })
}

/// As MQTT 5 writes them, which all versions share here (§3.8.3.1).
pub(super) fn options(options: SubscriptionOptions) -> u8 {
    let handling = match options.retain_handling {
        RetainHandling::SendOnSubscribe => 0,
        RetainHandling::SendIfNew => 1,
        RetainHandling::DoNotSend => 2,
    };
    let no_local = if options.no_local { OPTION_NO_LOCAL } else { 0 };
    let as_published = if options.retain_as_published { OPTION_RETAIN_AS_PUBLISHED } else { 0 };
    u8::from(options.qos) | no_local | as_published | handling << OPTION_RETAIN_HANDLING_SHIFT
}

pub(super) fn options_from(byte: u8) -> Option<SubscriptionOptions> {
    let retain_handling = match byte >> OPTION_RETAIN_HANDLING_SHIFT {
        0 => RetainHandling::SendOnSubscribe,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return None,
    };
    Some(SubscriptionOptions {
        qos: QoS::try_from(byte & OPTION_QOS).ok()?,
        no_local: byte & OPTION_NO_LOCAL != 0,
        retain_as_published: byte & OPTION_RETAIN_AS_PUBLISHED != 0,
        retain_handling,
    })
}
