package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// everyday is what applications do with a broker every day.
func everyday(address string) {
	with := func(name string, names []string, body func([]*peer) error) {
		check(name, func() error { return withPeers(address, names, body) })
	}
	with("connect", []string{"connect"}, func([]*peer) error { return nil })
	with("subscribe", []string{"subscribe"}, func(peers []*peer) error {
		for qos := byte(0); qos <= 2; qos++ {
			if err := peers[0].subscribe(fmt.Sprint("everyday/subscribe/", qos), qos, nil); err != nil {
				return err
			}
		}
		return nil
	})
	for qos := byte(0); qos <= 2; qos++ {
		with(fmt.Sprint("echo QoS ", qos), []string{"echo"}, func(peers []*peer) error { return echo(peers[0], qos) })
	}
	with("retained", []string{"publisher", "early", "late"}, retained)
	check("will", func() error { return will(address) })
	with("user properties", []string{"properties"}, userProperties)
	with("request and response", []string{"asks", "answers"}, requestAndResponse)
	with("message expiry", []string{"expiry"}, messageExpiry)
	with("topic alias", []string{"alias"}, topicAlias)
	with("shared subscription", []string{"a", "b"}, shared)
	with("subscription identifier", []string{"identifier"}, subscriptionIdentifier)
}

func echo(one *peer, qos byte) error {
	topic := fmt.Sprint("everyday/echo/", qos)
	payloads := []string{"", strings.Repeat("x", 100_000)}
	for number := range 20 {
		payloads = append(payloads, strconv.Itoa(number))
	}
	if err := one.subscribe("everyday/echo/+", 2, nil); err != nil {
		return err
	}
	for _, payload := range payloads {
		if err := one.publish(paho.Publish{Topic: topic, QoS: qos, Payload: []byte(payload)}); err != nil {
			return err
		}
	}
	for _, payload := range payloads {
		message, err := one.expectNext(payload)
		if err != nil {
			return err
		}
		got := []any{message.Topic, message.QoS, message.Retain}
		if err := expect("topic, QoS, RETAIN", got, []any{topic, qos, false}); err != nil {
			return err
		}
	}
	return nil
}

func retained(peers []*peer) error {
	const topic = "everyday/retained"
	publisher, early, late := peers[0], peers[1], peers[2]
	nextIs := func(one *peer, payload string, retain bool) func() error {
		return func() error {
			message, err := one.expectNext(payload)
			if err != nil {
				return err
			}
			return expect("RETAIN", message.Retain, retain)
		}
	}
	publish := func(payload string, retain bool) func() error {
		return func() error {
			return publisher.publish(paho.Publish{Topic: topic, QoS: 1, Retain: retain, Payload: []byte(payload)})
		}
	}
	return inOrder(
		func() error { return early.subscribe(topic, 1, nil) },
		publish("kept", true),
		nextIs(early, "kept", false),
		func() error { return late.subscribe(topic, 1, nil) },
		nextIs(late, "kept", true),
		publish("", true), // clears
		func() error { return publisher.subscribe(topic, 1, nil) },
		publish("live", false),
		nextIs(publisher, "live", false),
	)
}

func will(address string) error {
	return withPeers(address, []string{"heir"}, func(peers []*peer) error {
		if err := peers[0].subscribe("everyday/will", 1, nil); err != nil {
			return err
		}
		gone := &paho.WillMessage{Topic: "everyday/will", Payload: []byte("gone"), QoS: 1}
		owner, err := connect(address, "owner", gone)
		if err != nil {
			return err
		}
		if err := owner.conn.Close(); err != nil { // no DISCONNECT
			return err
		}
		_, err = peers[0].expectNext("gone")
		return err
	})
}

func userProperties(peers []*peer) error {
	one := peers[0]
	if err := one.subscribe("everyday/properties", 1, nil); err != nil {
		return err
	}
	pairs := paho.UserProperties{{Key: "colour", Value: "blue"}, {Key: "colour", Value: "green"}, {Key: "größe", Value: "10 µm"}}
	properties := &paho.PublishProperties{User: pairs, ContentType: "text/plain"}
	if err := one.publish(paho.Publish{Topic: "everyday/properties", QoS: 1, Properties: properties}); err != nil {
		return err
	}
	message, err := one.next()
	if err != nil {
		return err
	}
	got := []any{message.Properties.User, message.Properties.ContentType}
	return expect("User Properties and Content Type", got, []any{pairs, "text/plain"})
}

func requestAndResponse(peers []*peer) error {
	asks, answers := peers[0], peers[1]
	token := []byte{0, 1, 2}
	var request *paho.Publish
	return inOrder(
		func() error { return answers.subscribe("everyday/request", 1, nil) },
		func() error { return asks.subscribe("everyday/response", 1, nil) },
		func() error {
			properties := &paho.PublishProperties{ResponseTopic: "everyday/response", CorrelationData: token}
			return asks.publish(paho.Publish{Topic: "everyday/request", QoS: 1, Properties: properties})
		},
		func() (err error) {
			request, err = answers.next()
			return err
		},
		func() error {
			properties := &paho.PublishProperties{CorrelationData: request.Properties.CorrelationData}
			return answers.publish(paho.Publish{Topic: request.Properties.ResponseTopic, QoS: 1, Properties: properties})
		},
		func() error {
			response, err := asks.next()
			if err != nil {
				return err
			}
			return expect("Correlation Data", response.Properties.CorrelationData, token)
		},
	)
}

func messageExpiry(peers []*peer) error {
	one := peers[0]
	retain := func(topic, payload string, seconds uint32) func() error {
		return func() error {
			properties := &paho.PublishProperties{MessageExpiry: &seconds}
			return one.publish(paho.Publish{Topic: topic, QoS: 1, Retain: true, Payload: []byte(payload), Properties: properties})
		}
	}
	return inOrder(
		retain("everyday/expiry/soon", "soon", 1),
		retain("everyday/expiry/late", "late", 100),
		func() error {
			time.Sleep(2200 * time.Millisecond) // the time the message may live
			return one.subscribe("everyday/expiry/+", 1, nil)
		},
		func() error {
			message, err := one.expectNext("late")
			if err != nil {
				return err
			}
			remaining := message.Properties.MessageExpiry
			if remaining == nil || *remaining < 97 || *remaining > 98 {
				return fmt.Errorf("Message Expiry Interval is not less by 2 s: %v", remaining)
			}
			return expect("expired messages", one.untilQuiet(), []string(nil))
		},
		retain("everyday/expiry/late", "", 100),
	)
}

func topicAlias(peers []*peer) error {
	one := peers[0]
	alias := uint16(1)
	publish := func(topic, payload string) func() error {
		return func() error {
			properties := &paho.PublishProperties{TopicAlias: &alias}
			return one.publish(paho.Publish{Topic: topic, QoS: 1, Payload: []byte(payload), Properties: properties})
		}
	}
	nextIs := func(payload string) func() error {
		return func() error {
			message, err := one.expectNext(payload)
			if err != nil {
				return err
			}
			return expect("topic", message.Topic, "everyday/alias")
		}
	}
	return inOrder(
		func() error { return one.subscribe("everyday/alias", 1, nil) },
		publish("everyday/alias", "first"),
		publish("", "second"),
		nextIs("first"),
		nextIs("second"),
	)
}

func shared(peers []*peer) error {
	for _, one := range peers {
		if err := one.subscribe("$share/group/everyday/shared", 1, nil); err != nil {
			return err
		}
	}
	var sent, received []string
	for number := range 20 {
		payload := fmt.Sprintf("%02d", number)
		sent = append(sent, payload)
		if err := peers[0].publish(paho.Publish{Topic: "everyday/shared", QoS: 1, Payload: []byte(payload)}); err != nil {
			return err
		}
	}
	for _, one := range peers {
		share := one.untilQuiet()
		if len(share) == 0 {
			return fmt.Errorf("a member has no share")
		}
		received = append(received, share...)
	}
	slices.Sort(received)
	return expect("each message once", received, sent)
}

func subscriptionIdentifier(peers []*peer) error {
	one, identifier := peers[0], 77
	properties := &paho.SubscribeProperties{SubscriptionIdentifier: &identifier}
	if err := one.subscribe("everyday/identifier", 1, properties); err != nil {
		return err
	}
	if err := one.publish(paho.Publish{Topic: "everyday/identifier", QoS: 1}); err != nil {
		return err
	}
	message, err := one.next()
	if err != nil {
		return err
	}
	return expect("Subscription Identifier", *message.Properties.SubscriptionIdentifier, identifier)
}
