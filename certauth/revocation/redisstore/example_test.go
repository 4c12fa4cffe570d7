package redisstore_test

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

// The client is that of the program, with its own TLS and user.
func ExampleNew() {
	options, err := redis.ParseURL("rediss://certauth:secret@redis.example:6379/0")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	store, err := redisstore.New(client, redisstore.Options{Prefix: "orders:revocation:"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%T\n", store)
	// Output: *redisstore.Store
}
