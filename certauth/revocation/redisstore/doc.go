// Package redisstore shares revocation evidence among the instances of a service through Redis.
// Its [Store] is a [revocation.Store] that uses a go-redis client of the program.
//
// Redis is not trusted. Evidence from it is verified like an answer from the network. An attacker
// with write access can make instances fetch again but cannot forge a decision. Like an attacker
// on the path to a responder, such an attacker can replay evidence that is still fresh. A value
// over 33 MiB is refused before it is loaded. The client allocates whatever length the server
// announces, so the Redis server itself, unlike its contents, is trusted not to exhaust memory;
// use TLS if others share the network. A reader of the keys learns how many certificates and CRLs
// are checked.
//
// It needs the commands STRLEN, GETRANGE, and SET with PX, on keys that begin with
// [Options].Prefix, one key per command, so it works with a cluster. Tested with Redis 7. The
// service needs no more than this user:
//
//	ACL SETUSER certauth on >secret ~certauth:revocation:* +strlen +getrange +set
//
// Redis may evict keys or restart without its data: lost evidence is fetched again.
//
// The package is a separate module, so that programs without Redis do not have the client in
// their module graph.
package redisstore
