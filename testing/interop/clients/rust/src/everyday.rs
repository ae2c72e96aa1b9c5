//! What applications do with a broker every day.

use crate::peer::{Address, Message, Peer, Properties};
use crate::report::{Outcome, check, expect};
use crate::v5;
use std::time::Duration;

pub async fn everyday<P: Peer>(address: Address<'_>) {
    check("connect", async {
        P::connect(address, "connect", None).await?.disconnect().await;
        Ok(())
    })
    .await;
    check("subscribe", subscribe::<P>(address)).await;
    for qos in 0..=2 {
        check(&format!("echo QoS {qos}"), echo::<P>(address, qos)).await;
    }
    check("unsubscribe", unsubscribe::<P>(address)).await;
    check("retained", retained::<P>(address)).await;
    check("will", will::<P>(address)).await;
}

async fn subscribe<P: Peer>(address: Address<'_>) -> Outcome {
    let mut one = P::connect(address, "subscribe", None).await?;
    for qos in 0..=2 {
        let granted = one.subscribe(&format!("everyday/subscribe/{qos}"), qos, None).await?;
        expect("granted QoS", granted, vec![qos])?;
    }
    one.disconnect().await;
    Ok(())
}

async fn echo<P: Peer>(address: Address<'_>, qos: u8) -> Outcome {
    let mut one = P::connect(address, "echo", None).await?;
    one.subscribe("everyday/echo/+", 2, None).await?;
    let topic = format!("everyday/echo/{qos}");
    let mut payloads: Vec<Vec<u8>> = (0..10).map(|number: u8| vec![number]).collect();
    payloads.extend([Vec::new(), vec![b'x'; 100_000]]);
    for payload in &payloads {
        one.publish(&topic, payload, qos, false).await?;
    }
    for payload in payloads {
        let message = one.next().await?;
        expect("topic", &message.topic, &topic)?;
        expect("QoS and RETAIN", (message.qos, message.retain), (qos, false))?;
        expect("payload", message.payload, payload)?;
    }
    one.disconnect().await;
    Ok(())
}

async fn unsubscribe<P: Peer>(address: Address<'_>) -> Outcome {
    let mut one = P::connect(address, "unsubscribe", None).await?;
    one.subscribe("everyday/first", 1, None).await?;
    one.subscribe("everyday/second", 1, None).await?;
    one.unsubscribe("everyday/first").await?;
    one.publish("everyday/first", b"not wanted", 1, false).await?;
    one.publish("everyday/second", b"wanted", 1, false).await?;
    expect_next(&mut one, "wanted", false).await?;
    one.disconnect().await;
    Ok(())
}

async fn retained<P: Peer>(address: Address<'_>) -> Outcome {
    let topic = "everyday/retained";
    let mut early = P::connect(address, "early", None).await?;
    let mut late = P::connect(address, "late", None).await?;
    early.subscribe(topic, 1, None).await?;
    early.publish(topic, b"kept", 1, true).await?;
    expect_next(&mut early, "kept", false).await?;
    late.subscribe(topic, 1, None).await?;
    expect_next(&mut late, "kept", true).await?;
    late.publish(topic, b"", 1, true).await?; // clears
    expect_next(&mut late, "", false).await?;
    let mut after = P::connect(address, "after", None).await?;
    after.subscribe(topic, 1, None).await?;
    after.publish(topic, b"live", 1, false).await?;
    expect_next(&mut after, "live", false).await?;
    for one in [early, late, after] {
        one.disconnect().await;
    }
    Ok(())
}

async fn will<P: Peer>(address: Address<'_>) -> Outcome {
    let mut heir = P::connect(address, "heir", None).await?;
    heir.subscribe("everyday/will", 1, None).await?;
    let owner = P::connect(address, "owner", Some(("everyday/will", "gone"))).await?;
    owner.abandon().await;
    expect_next(&mut heir, "gone", false).await?;
    heir.disconnect().await;
    Ok(())
}

async fn expect_next<P: Peer>(peer: &mut P, payload: &str, retain: bool) -> Outcome {
    let message = peer.next().await?;
    expect("payload", message.payload.as_slice(), payload.as_bytes())?;
    expect("RETAIN", message.retain, retain)
}

pub async fn version_5(address: Address<'_>) {
    check("user properties", user_properties(address)).await;
    check("request and response", request_and_response(address)).await;
    check("message expiry", message_expiry(address)).await;
    check("topic alias", topic_alias(address)).await;
    check("shared subscription", shared(address)).await;
    check("subscription identifier", subscription_identifier(address)).await;
}

fn with(topic: &str, properties: Properties) -> Message {
    let (topic, payload) = (topic.to_owned(), b"x".to_vec());
    Message { topic, payload, qos: 1, properties, ..Message::default() }
}

async fn user_properties(address: Address<'_>) -> Outcome {
    let mut one = v5::Peer::connect(address, "properties", None).await?;
    one.subscribe("everyday/properties", 1, None).await?;
    let user = [("colour", "blue"), ("colour", "green"), ("größe", "10 µm")];
    let user = user.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let properties = Properties { user, content_type: Some("text/plain".into()), ..Properties::default() };
    one.publish_with(with("everyday/properties", properties.clone())).await?;
    expect("properties", one.next().await?.properties, properties)?;
    one.disconnect().await;
    Ok(())
}

async fn request_and_response(address: Address<'_>) -> Outcome {
    let mut asks = v5::Peer::connect(address, "asks", None).await?;
    let mut answers = v5::Peer::connect(address, "answers", None).await?;
    answers.subscribe("everyday/request", 1, None).await?;
    asks.subscribe("everyday/response", 1, None).await?;
    let correlation_data = Some(vec![0, 1, 2]);
    let asked = Properties {
        response_topic: Some("everyday/response".into()),
        correlation_data: correlation_data.clone(),
        ..Properties::default()
    };
    asks.publish_with(with("everyday/request", asked)).await?;
    let request = answers.next().await?.properties;
    let topic = request.response_topic.ok_or("no Response Topic")?;
    let answer = Properties { correlation_data: request.correlation_data, ..Properties::default() };
    answers.publish_with(with(&topic, answer)).await?;
    expect("Correlation Data", asks.next().await?.properties.correlation_data, correlation_data)?;
    asks.disconnect().await;
    answers.disconnect().await;
    Ok(())
}

async fn message_expiry(address: Address<'_>) -> Outcome {
    let mut one = v5::Peer::connect(address, "expiry", None).await?;
    for (topic, seconds) in [("everyday/expiry/soon", 1), ("everyday/expiry/late", 100)] {
        let mut message = with(topic, Properties { expiry: Some(seconds), ..Properties::default() });
        message.retain = true;
        one.publish_with(message).await?;
    }
    tokio::time::sleep(Duration::from_millis(2200)).await; // the time the message may live
    one.subscribe("everyday/expiry/+", 1, None).await?;
    let message = one.next().await?;
    expect("topic", message.topic.as_str(), "everyday/expiry/late")?;
    let remaining = message.properties.expiry.ok_or("no Message Expiry Interval")?;
    expect("time that remains is less by 2 s", (97..=98).contains(&remaining), true)?;
    expect("expired messages", one.until_quiet().await.len(), 0)?;
    one.publish("everyday/expiry/late", b"", 1, true).await?;
    one.disconnect().await;
    Ok(())
}

/// The client sends an alias. It must not offer the broker to use some as well: rumqttc hands on what came before it
/// puts the Topic Name back, so that its user sees an empty one.
async fn topic_alias(address: Address<'_>) -> Outcome {
    let mut one = v5::Peer::connect(address, "alias", None).await?;
    one.subscribe("everyday/alias", 1, None).await?;
    for topic in ["everyday/alias", ""] {
        one.publish_with(with(topic, Properties { alias: Some(1), ..Properties::default() })).await?;
    }
    for _ in 0..2 {
        expect("topic", one.next().await?.topic.as_str(), "everyday/alias")?;
    }
    one.disconnect().await;
    Ok(())
}

async fn shared(address: Address<'_>) -> Outcome {
    let mut members = Vec::new();
    for name in ["a", "b"] {
        let mut member = v5::Peer::connect(address, name, None).await?;
        member.subscribe("$share/group/everyday/shared", 1, None).await?;
        members.push(member);
    }
    for number in 0..20 {
        members[0].publish("everyday/shared", &[number], 1, false).await?;
    }
    let mut received = Vec::new();
    for mut member in members {
        let share = member.until_quiet().await;
        expect("a member has no share", share.is_empty(), false)?;
        received.extend(share.iter().flat_map(|message| message.payload.clone()));
        member.disconnect().await;
    }
    received.sort_unstable();
    expect("each message once", received, (0..20).collect())
}

async fn subscription_identifier(address: Address<'_>) -> Outcome {
    let mut one = v5::Peer::connect(address, "identifier", None).await?;
    one.subscribe("everyday/identifier", 1, Some(77)).await?;
    one.publish("everyday/identifier", b"x", 1, false).await?;
    expect("Subscription Identifiers", one.next().await?.properties.identifiers, vec![77])?;
    one.disconnect().await;
    Ok(())
}
