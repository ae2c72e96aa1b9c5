// Command clients runs paho.golang's autopaho (MQTT 5.0) against a broker: everyday|reconnect HOST PORT.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: clients everyday|reconnect HOST PORT")
		os.Exit(2)
	}
	address := os.Args[2] + ":" + os.Args[3]
	emit(line{"client": "autopaho " + libraryVersion() + ", MQTT 5.0"})
	switch os.Args[1] {
	case "everyday":
		everyday(address)
	case "reconnect":
		reconnect(address)
	default:
		fmt.Fprintln(os.Stderr, "no such program:", os.Args[1])
		os.Exit(2)
	}
}
