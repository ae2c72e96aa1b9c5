package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

const timeout = 10 * time.Second

// peer is a connected client whose messages wait in a channel.
type peer struct {
	manager  *autopaho.ConnectionManager
	messages chan *paho.Publish
	conn     net.Conn
}

// config is what all clients here share; it does not re-connect.
func config(address, name string, received func(*paho.Publish)) autopaho.ClientConfig {
	return autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{{Scheme: "mqtt", Host: address}},
		KeepAlive:                     30,
		CleanStartOnInitialConnection: true,
		ConnectTimeout:                timeout,
		ReconnectBackoff:              func(int) time.Duration { return 0 },
		OnConnectionDown:              func() bool { return false },
		ClientConfig: paho.ClientConfig{
			ClientID: name,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){
				func(arrived paho.PublishReceived) (bool, error) {
					received(arrived.Packet)
					return true, nil
				},
			},
		},
	}
}

func connect(address, name string, will *paho.WillMessage) (*peer, error) {
	one := &peer{messages: make(chan *paho.Publish, 1000)}
	cfg := config(address, "autopaho-"+name, func(message *paho.Publish) { one.messages <- message })
	cfg.WillMessage = will
	cfg.AttemptConnection = func(ctx context.Context, _ autopaho.ClientConfig, u *url.URL) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		one.conn = conn
		return conn, err
	}
	var err error
	if one.manager, err = autopaho.NewConnection(context.Background(), cfg); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return one, one.manager.AwaitConnection(ctx)
}

func (one *peer) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = one.manager.Disconnect(ctx)
}

func (one *peer) subscribe(filter string, qos byte, properties *paho.SubscribeProperties) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	options := []paho.SubscribeOptions{{Topic: filter, QoS: qos}}
	suback, err := one.manager.Subscribe(ctx, &paho.Subscribe{Subscriptions: options, Properties: properties})
	if err != nil {
		return err
	}
	return expect("granted QoS", suback.Reasons, []byte{qos})
}

func (one *peer) publish(message paho.Publish) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err := one.manager.Publish(ctx, &message)
	return err
}

func (one *peer) next() (*paho.Publish, error) {
	select {
	case message := <-one.messages:
		return message, nil
	case <-time.After(timeout):
		return nil, fmt.Errorf("no message within %v", timeout)
	}
}

// expectNext takes the next message and compares its payload.
func (one *peer) expectNext(payload string) (*paho.Publish, error) {
	message, err := one.next()
	if err != nil {
		return nil, err
	}
	return message, expect("payload", string(message.Payload), payload)
}

// untilQuiet takes all messages until none came for a while.
func (one *peer) untilQuiet() (payloads []string) {
	for {
		select {
		case message := <-one.messages:
			payloads = append(payloads, string(message.Payload))
		case <-time.After(500 * time.Millisecond):
			return payloads
		}
	}
}

// withPeers runs body with connected clients and disconnects them whatever happens.
func withPeers(address string, names []string, body func([]*peer) error) error {
	var peers []*peer
	for _, name := range names {
		one, err := connect(address, name, nil)
		if err != nil {
			return err
		}
		defer one.disconnect()
		peers = append(peers, one)
	}
	return body(peers)
}

// inOrder runs the steps until one fails.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
