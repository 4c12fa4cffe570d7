// Package redisstore shares revocation evidence among the instances of a service through
// Redis: a [revocation.Store] over a client of go-redis that the program already has.
//
// Redis is not trusted. What comes out of it is verified like an answer from the network:
// who can write into it can make instances fetch again; they cannot forge a decision. Like somebody on the way to a responder they can bring back
// evidence that is still fresh. A value over 33 MiB is refused before it is loaded. The
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
// It does no harm if Redis evicts
// keys or is restarted without its data: what is gone is fetched again.
//
// It is a module of its own, so that who does not use Redis does not have its client in the
// module graph.
package redisstore
