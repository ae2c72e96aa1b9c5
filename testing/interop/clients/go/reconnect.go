package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

const (
	cuts       = 20
	cutEvery   = 200 * time.Millisecond
	sendEvery  = 2 * time.Millisecond
	awayFor    = 50 * time.Millisecond
	quietAfter = 2 * time.Second
	topic      = "reconnect/numbers"
)

// reconnect is an application that means to be persistent: Clean Start 0, a subscription in OnConnectionUp, but no
// Session Expiry Interval. Its connection is cut again and again while numbered messages are sent to it.
func reconnect(address string) {
	var counts tally
	check("cut and re-connected 20 times", func() error { return cutAndCount(address, &counts) })
	lost := counts.lost()
	emit(line{"figure": "sent", "value": counts.sent})
	emit(line{"figure": "lost", "value": lost})
	check("nothing lost", func() error {
		if lost > 0 {
			return fmt.Errorf("%d of %d acknowledged messages never came", lost, counts.sent)
		}
		return nil
	})
}

func cutAndCount(address string, counts *tally) error {
	link, err := newProxy(address)
	if err != nil {
		return err
	}
	defer link.listener.Close()
	subscriber, subscribed, err := persistentSubscriber(link.address(), counts)
	if err != nil {
		return err
	}
	defer disconnect(subscriber)
	if err := await(subscribed); err != nil {
		return err
	}

	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- publishUntil(address, stop, counts) }()
	for range cuts {
		time.Sleep(cutEvery) // messages flow
		link.cut()
		if err := await(subscribed); err != nil {
			return err
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		return err
	}
	counts.settle()
	return nil
}

// persistentSubscriber tells on the channel each time its subscription stands again.
func persistentSubscriber(address string, counts *tally) (*autopaho.ConnectionManager, <-chan error, error) {
	subscribed := make(chan error, 2*cuts)
	cfg := config(address, "autopaho-persistent", counts.receive)
	cfg.CleanStartOnInitialConnection = false
	cfg.ReconnectBackoff = func(int) time.Duration { return awayFor }
	cfg.OnConnectionDown = nil // re-connect
	cfg.OnConnectionUp = func(manager *autopaho.ConnectionManager, _ *paho.Connack) {
		go func() {
			options := []paho.SubscribeOptions{{Topic: topic, QoS: 1}}
			_, err := manager.Subscribe(context.Background(), &paho.Subscribe{Subscriptions: options})
			subscribed <- err
		}()
	}
	manager, err := autopaho.NewConnection(context.Background(), cfg)
	return manager, subscribed, err
}

// publishUntil sends one number after the other over a connection of its own; each is acknowledged.
func publishUntil(address string, stop <-chan struct{}, counts *tally) error {
	publisher, err := connect(address, "publisher", nil)
	if err != nil {
		return err
	}
	defer publisher.disconnect()
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(sendEvery):
		}
		message := paho.Publish{Topic: topic, QoS: 1, Payload: []byte(strconv.Itoa(counts.sent))}
		if err := publisher.publish(message); err != nil {
			return err
		}
		counts.sent++
	}
}

func await(subscribed <-chan error) error {
	select {
	case err := <-subscribed:
		return err
	case <-time.After(timeout):
		return fmt.Errorf("no subscription within %v", timeout)
	}
}

func disconnect(manager *autopaho.ConnectionManager) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = manager.Disconnect(ctx)
}

// tally remembers which numbers came; a number may come twice at QoS 1.
type tally struct {
	mutex    sync.Mutex
	received map[string]bool
	latest   time.Time
	sent     int
}

func (t *tally) receive(message *paho.Publish) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.received == nil {
		t.received = map[string]bool{}
	}
	t.received[string(message.Payload)] = true
	t.latest = time.Now()
}

func (t *tally) lost() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.sent - len(t.received)
}

// settle waits until all came, or nothing did for a while.
func (t *tally) settle() {
	for t.lost() > 0 {
		t.mutex.Lock()
		quiet := time.Since(t.latest)
		t.mutex.Unlock()
		if quiet > quietAfter {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
