// What go-micro's own Consul registry does with the registry at the address given: registers, passes its TTL check,
// gets, lists, watches, deregisters. Each step prints a line of JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/go-micro/plugins/v4/registry/consul"
	"go-micro.dev/v4/registry"
)

const name = "go.micro.api.greeter"

type step struct {
	Step     string
	Error    string              `json:",omitempty"`
	Names    []string            `json:",omitempty"`
	Services []*registry.Service `json:",omitempty"`
	Action   string              `json:",omitempty"`
}

func say(what step, err error) {
	if err != nil {
		what.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(what)
}

func service(id, version, address string) *registry.Service {
	return &registry.Service{
		Name:     name,
		Version:  version,
		Metadata: map[string]string{"team": "shop"},
		Endpoints: []*registry.Endpoint{{
			Name:     "Greeter.Hello",
			Request:  &registry.Value{Name: "Request", Type: "Request", Values: []*registry.Value{{Name: "name", Type: "string"}}},
			Response: &registry.Value{Name: "Response", Type: "Response"},
			Metadata: map[string]string{"path": "/hello", "method": "GET"},
		}},
		Nodes: []*registry.Node{{
			Id:       name + "-" + id,
			Address:  address,
			Metadata: map[string]string{"zone": "a", "protocol": "mucp"},
		}},
	}
}

func get(of registry.Registry, title string) {
	found, err := of.GetService(name)
	sort.Slice(found, func(i, j int) bool { return found[i].Version < found[j].Version })
	say(step{Step: title, Services: found}, err)
}

// The next event of that kind: others may come before it.
func next(watcher registry.Watcher, title, action string) {
	found := make(chan step, 1)
	go func() {
		for {
			event, err := watcher.Next()
			if err != nil {
				found <- step{Step: title, Error: err.Error()}
				return
			}
			if event.Action == action {
				found <- step{Step: title, Action: action, Names: []string{event.Service.Name}}
				return
			}
		}
	}()
	select {
	case event := <-found:
		say(event, nil)
	case <-time.After(20 * time.Second):
		say(step{Step: title}, fmt.Errorf("no event"))
	}
}

func main() {
	one := consul.NewRegistry(registry.Addrs(os.Args[1]))
	other := consul.NewRegistry(registry.Addrs(os.Args[1]))
	first, second := service("1", "1.2.3", "127.0.0.1:4001"), service("2", "2.0.0", "127.0.0.1:4002")
	ttl := registry.RegisterTTL(90 * time.Second)

	get(one, "get before")
	watcher, err := other.Watch(registry.WatchService(name))
	say(step{Step: "watch"}, err)
	say(step{Step: "register"}, one.Register(first, ttl))
	next(watcher, "watched register", "create")
	say(step{Step: "register again"}, one.Register(first, ttl)) // passes the TTL check
	get(other, "get one")
	say(step{Step: "register other"}, one.Register(second, ttl))
	get(other, "get both")

	services, err := other.ListServices()
	var names []string
	for _, found := range services {
		if found.Name != "consul" {
			names = append(names, found.Name)
		}
	}
	say(step{Step: "list", Names: names}, err)

	say(step{Step: "deregister"}, one.Deregister(first))
	get(other, "get after")
	say(step{Step: "deregister other"}, one.Deregister(second))
	get(other, "get none")
	next(watcher, "watched deregister", "delete")
	watcher.Stop()
}
