// Command clients runs paho.golang's autopaho (MQTT 5.0) against a broker: HOST PORT everyday|reconnect.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: clients HOST PORT everyday|reconnect")
		os.Exit(2)
	}
	address := net.JoinHostPort(os.Args[1], os.Args[2])
	emit(line{"client": "autopaho " + libraryVersion() + ", MQTT 5.0"})
	switch os.Args[3] {
	case "everyday":
		everyday(address)
	case "reconnect":
		reconnect(address)
	default:
		fmt.Fprintln(os.Stderr, "no such program:", os.Args[3])
		os.Exit(2)
	}
}
