// Package certauthtest provides test helpers for services that ask for client certificates,
// whether they use package certauth or not: certificate authorities and client certificates, the
// requests of every front end, OCSP responders and CRLs, and a table of forged requests that
// must not get in.
//
// Everything is made fresh in memory; nothing here belongs in production. Functions that
// take a [TB] end the test by Fatalf if they fail.
//
// # A whole service
//
// [TestHandler] fires some hundred forged requests at a handler as the service installs it,
// or at a service that runs on this machine, and fails if one gets in. It takes the front
// end that the service is configured for and a client that must get in; see its examples.
//
// The gate of the service must tell 127.0.0.1, where the front end is, from the rest of
// 127.0.0.0/8, where strangers are; HandlerTest has fields for gates of other kinds. The rows
// are data: FORGED.md, next to forged.json in the source, says how other languages run them.
//
// # Single handlers
//
// [FrontEnd.Forward] rewrites a request as a front end forwards it, for tests of a handler
// together with its Authenticator; [WithPeer] says over which socket it came. Where a handler
// is to be tested without an Authenticator, Context of package certauthtest/unittest makes a
// context with an identity in it. That package also checks sources and policy functions of
// your own. It is a separate package because it imports certauth, whose own tests import this
// package.
//
// # Certificates
//
// [NewCA] and [CA.NewIntermediate] make authorities, [CA.Issue] and [SelfSigned] clients. A
// [Template] changes any field before it is signed; those that tests need most have functions
// here, others are written in place, such as name constraints or a path length. A CA that is
// made again under its name has another key: a CA after a change of keys, which
// [CA.CrossSign] connects with the one before.
//
// # Front ends
//
// [AppService] simulates a complete front end, TLS included.
//
// # Revocation
//
// [Responder] and [CRLServer] are http.Handlers that speak for a [CA]. Start them, for
// instance by httptest.NewServer, and write the address into certificates by [OCSPAt] and
// [CRLAt]. Each has its own list of revoked certificates, so that sources can disagree, and each
// can be made to fail by a [Fault]. A revocation.Checker connects to loopback only if its
// HTTP.AllowNets and HTTP.AllowPorts say so. [CheckStore] checks a revocation.Store.
package certauthtest
