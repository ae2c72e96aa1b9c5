package main

import (
	"io"
	"net"
	"sync"
)

// proxy passes connections on to a broker and can cut them all.
type proxy struct {
	listener net.Listener
	target   string
	mutex    sync.Mutex
	open     []net.Conn
}

func newProxy(target string) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, target: target}
	go p.accept()
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mutex.Lock()
		p.open = append(p.open, client, broker)
		p.mutex.Unlock()
		go pass(client, broker)
		go pass(broker, client)
	}
}

// pass copies until one side ends, then closes both.
func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	from.Close()
	to.Close()
}

// cut closes every connection at once; what is on its way is lost.
func (p *proxy) cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, conn := range p.open {
		conn.Close()
	}
	p.open = nil
}
