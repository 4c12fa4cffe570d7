// Package redisstore shares revocation evidence among the instances of a service through
// Redis: a [revocation.Store] over a client of go-redis that the program already has.
//
// Redis is not trusted. Evidence from it is verified like an answer from the network.
// An attacker with write access can make instances fetch again but cannot forge a decision.
// Like an attacker on the path to a responder, they can replay evidence that is still fresh. A value over 33 MiB is refused before it is loaded. The
// client itself makes room for whatever length the server announces, so the server's
// program, unlike its content, is trusted not to exhaust memory; use TLS where others share
// the network. A reader of the keys learns how many certificates and CRLs are asked about.
//
// It needs the commands STRLEN, GETRANGE, and SET with PX, on keys under
// [Options].Prefix, one key a command, so a cluster will do. Tested with Redis 7. A user for
// the service needs no more than
//
//	ACL SETUSER certauth on >secret ~certauth:revocation:* +strlen +getrange +set
//
// Redis may evict
// keys or restart without its data: lost evidence is fetched again.
//
// It is a separate module, so that programs without Redis do not have its client in their
// module graph.
package redisstore
