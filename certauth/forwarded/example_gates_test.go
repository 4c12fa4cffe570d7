package forwarded_test

import (
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Peers checks the address of the socket, and no header.
func ExamplePeers() {
	source := forwarded.Nginx{From: forwarded.Peers("10.0.0.2", "10.0.1.0/24")}
	pretend := func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.2") }
	fmt.Println(knock(source, "Nginx", "10.0.0.2", true, nil))
	fmt.Println(knock(source, "Nginx", "10.0.1.77", true, nil))
	fmt.Println(knock(source, "Nginx", "203.0.113.7", true, pretend))
	// Output:
	// 200 hello, orders
	// 200 hello, orders
	// 401 source_untrusted
}

// A socket in the file system, whose permissions determine who can connect.
func ExampleUnixSocket() {
	source := forwarded.Nginx{From: forwarded.UnixSocket()}
	fmt.Println(knock(source, "Nginx", "/run/orders.sock", true, nil))
	fmt.Println(knock(source, "Nginx", "127.0.0.1", true, nil))
	// Output:
	// 200 hello, orders
	// 401 source_untrusted
}

// A secret that the front end adds to each request, for networks in which addresses are
// meaningless.
func ExampleSharedSecret() {
	const secret = "example-yRr0y8kGZ3u1Jc5mT7wQ2b9D" // from a setting, never from the code
	source := forwarded.Nginx{From: forwarded.SharedSecret("X-Front-End", secret)}
	with := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Front-End", value) }
	}
	fmt.Println(knock(source, "Nginx", "203.0.113.7", true, with(secret)))
	fmt.Println(knock(source, "Nginx", "203.0.113.7", true, with("guess")))
	fmt.Println(knock(source, "Nginx", "203.0.113.7", true, nil))
	// Output:
	// 200 hello, orders
	// 401 source_untrusted
	// 401 source_untrusted
}

// Gates can be combined: here the address and the secret.
func ExampleEveryGate() {
	const secret = "example-yRr0y8kGZ3u1Jc5mT7wQ2b9D"
	source := forwarded.Nginx{From: forwarded.EveryGate(forwarded.Peers("10.0.0.2"), forwarded.SharedSecret("X-Front-End", secret))}
	knows := func(r *http.Request) { r.Header.Set("X-Front-End", secret) }
	fmt.Println(knock(source, "Nginx", "10.0.0.2", true, knows))
	fmt.Println(knock(source, "Nginx", "10.0.0.2", true, nil))
	fmt.Println(knock(source, "Nginx", "203.0.113.7", true, knows))
	// Output:
	// 200 hello, orders
	// 401 source_untrusted
	// 401 source_untrusted
}

// Two ways in: a front end on this machine, and one in the network.
func ExampleAnyGate() {
	source := forwarded.Nginx{From: forwarded.AnyGate(forwarded.UnixSocket(), forwarded.Peers("10.0.0.2"))}
	fmt.Println(knock(source, "Nginx", "/run/orders.sock", true, nil))
	fmt.Println(knock(source, "Nginx", "10.0.0.2", true, nil))
	fmt.Println(knock(source, "Nginx", "10.0.0.9", true, nil))
	// Output:
	// 200 hello, orders
	// 200 hello, orders
	// 401 source_untrusted
}
