// Package certauthtest provides test helpers for services that authenticate client certificates,
// whether or not they use package certauth: certificate authorities and client certificates, the
// requests of every front end, OCSP responders and CRLs, and a table of forged requests that a
// service must refuse.
//
// Everything is generated in memory for each test and is unsuitable for production. Functions
// that take a [TB] end the test with Fatalf if they fail.
//
// # A whole service
//
// [TestHandler] sends about 400 forged requests to a handler as the service installs it, or to
// a service that runs on this machine, and fails if one of them is accepted. It takes the front
// end that the service is configured for and a client that must be accepted; see its examples.
//
// The gate of the service must distinguish 127.0.0.1, the address of the front end, from the rest
// of 127.0.0.0/8, the addresses of other senders. HandlerTest has fields for other kinds of
// gates. The requests are rows of a table, forged.json; FORGED.md, next to it in the source,
// documents how to run them from other languages.
//
// # Single handlers
//
// [FrontEnd.Forward] rewrites a request as a front end forwards it, for tests of a handler
// together with its Authenticator; [WithPeer] sets the socket on which it arrived. To test a
// handler without an Authenticator, use Context of package certauthtest/unittest, which makes a
// context with an identity. That package also checks your own sources and policy functions. It is
// separate because it imports certauth, whose own tests import this package.
//
// # Certificates
//
// [NewCA] and [CA.NewIntermediate] make authorities, [CA.Issue] and [SelfSigned] make clients. A
// [Template] changes any field before the certificate is signed. This package has functions for
// the fields that tests change most; write a function literal for others, such as name
// constraints or a path length. A second CA made under the same name has another key, like a CA
// after a key change; [CA.CrossSign] connects it with the first.
//
// # Front ends
//
// [AppService] simulates a complete front end, TLS included.
//
// # Revocation
//
// [Responder] and [CRLServer] are http.Handlers that answer for a [CA]. Start them, for instance
// with httptest.NewServer, and put their address into certificates with [OCSPAt] and [CRLAt].
// Each has its own list of revoked certificates, so that they can disagree, and each can be made
// to fail with a [Fault]. A revocation.Checker connects to loopback addresses only if its
// HTTP.AllowNets and HTTP.AllowPorts permit it. [CheckStore] checks a revocation.Store.
package certauthtest
