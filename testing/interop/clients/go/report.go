package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"time"
)

// line is one result line; standard output holds nothing else.
type line map[string]any

func emit(fields line) {
	if err := json.NewEncoder(os.Stdout).Encode(fields); err != nil {
		panic(err)
	}
}

// check runs one check: it passes unless its body returns an error.
func check(name string, body func() error) {
	start := time.Now()
	err := body()
	fields := line{"check": name, "ok": err == nil, "ms": float64(time.Since(start).Microseconds()) / 1000}
	if err != nil {
		fields["detail"] = err.Error()
	}
	emit(fields)
}

func expect(what string, actual, wanted any) error {
	if reflect.DeepEqual(actual, wanted) {
		return nil
	}
	return fmt.Errorf("%s: wanted %v, got %v", what, wanted, actual)
}

// libraryVersion is the version of paho.golang that was built in.
func libraryVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/eclipse/paho.golang" {
			return module.Version
		}
	}
	return "of unknown version"
}
