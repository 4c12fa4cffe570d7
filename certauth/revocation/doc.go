// Package revocation decides from OCSP responses and CRLs whether certificates are
// revoked.
//
// A [Checker] finds the evidence, remembers it, and renews it; it is what [certauth.NotRevoked]
// takes, and New(Config{}) is the strict one. Package evidence verifies what it finds: pure
// functions, by the checks of evidence/RULES.md. Package fetch gets it. Names of the two that
// most programs need stand here as well.
//
// Bad evidence is never [Good] and never [Revoked]. [Unavailable], the zero value, denies: there
// is no authentic, fresh, applicable evidence. [Unknown] is an authorised answer that the
// certificate is not known. A Good answer does not say that the certificate was ever issued; the
// verified chain does.
//
// # What a Checker asks
//
// It judges every certificate below the root; with [LeafOnly] the client's alone. For each
// it asks, in the order of [Sources], OCSP responders: those of Config.Responders and the
// first three that the certificate names; and CRLs: those of Config.Lists and the first
// four distribution points of the certificate, with their deltas. The second kind is asked
// when the first has failed, or has kept silent for half of MaxWait. A list counts when it is
// verified; its delta is fetched after that. Revoked by any source that was asked decides.
// Unknown makes it ask the rest.
//
// Nothing is fetched for a certificate whose chain has not verified, nor, if NotRevoked
// stands last in its policy, for one that is refused anyway. Never fetched: an issuer's
// certificate (caIssuers), anything by LDAP, indirect CRLs. The default fetcher,
// [fetch.HTTPFetcher], connects to public addresses on ports 80 and 443; [HTTPOptions] says what
// else it may reach. With IgnoreCertificateURLs nothing that stands in a certificate is
// fetched.
//
// # What a Checker promises
//
//  1. A Good counts only while its evidence says so. StaleGrace prolongs it only after
//     somebody was asked at that time and did not answer; what has just failed is asked
//     again after five seconds.
//  2. Newer evidence wins, whatever its source, the order of arrival, or how long it has been
//     in memory. Revoked for good stays while the certificate is remembered.
//  3. A partner is the anchor under which its chains verify. With any number of CAs, hosts
//     and lists it cannot make another partner's client wait, or use what another one needs:
//     each partner has eight places to fetch in, four of them at one host, a queue, and
//     lists in hand of one and a quarter MaxListBytes, beside which one of a quarter may wait
//     for the Store. When MaxListMemory is full, the partner that holds most makes room.
//  4. A call waits no longer than MaxWait for one chain, whatever hangs.
//  5. A [Store] can cost time, at most a quarter of MaxWait for one look, and never a decision.
//  6. What is kept in the process is bounded, and so is what package dirstore keeps on disk.
//  7. The same evidence gives the same answer in whatever order it came.
//
// # What it remembers
//
// Verified evidence, until it runs out by its own nextUpdate or by MaxAge: a verdict is only
// kept until evidence, a list or an interval changes, so the clock and a revocation act on
// the next request. One fetch serves all who wait for the same answer. When half of its life
// is over, or after an hour for OCSP and six for a CRL, evidence is renewed beside a request
// that is still answered from memory. Both clocks of the machine are looked at: after it has
// slept, the first request asks for what has run out. A certificateHold can be lifted by
// newer evidence, and is asked about every quarter of an hour, by OCSP and in CRLs alike.
// What does not verify displaces nothing.
//
// A responder that fails is left alone for five seconds, then twice as long each time, five
// minutes at most; the host is, after five failures in a row. Failures at the same moment are
// one failure. When the time is over one request asks, and the others wait for its answer.
// 429 and 503 are not answered by a second request, and Retry-After counts up to five minutes.
// [Checker.Refresh] ends all of this and asks now; it takes part in no fetch that began before. For a certificate that has no evidence yet,
// a failure is remembered for five seconds if it was the network's, for thirty if what came
// did not verify, and for five minutes if the responder said unauthorized; Unknown for two
// minutes. An OCSP answer without nextUpdate counts for five.
//
// # When nobody can say
//
// [HardFail], the default, denies: [certauth.ReasonRevocationUnavailable], or
// ReasonRevocationUnknown where the authority does not know the certificate. An outage of
// the CA is then an outage for its clients once the evidence runs out; StaleGrace bridges
// at most a day of it, and never for what was revoked. AllowNoSource accepts certificates
// that name nobody to ask, and no others: one that names a CRL by LDAP alone names somebody.
//
// [SoftFail] accepts, and logs each time. Revoked still denies, as does a Revoked that is
// only too old, and Unknown unless AllowUnknown is set. Use it where a revoked client does
// less harm than a client turned away: who can keep this service from reaching the responder
// decides which of the two it is.
//
// # Time to effective revocation
//
// For a caller who keeps calling: one hour after its CA says so by OCSP, six hours after it
// stands in a CRL, and one more request. CRLs are published with a delay of their own. The
// first request after a pause, of twice Config.PollInterval for Config.Lists and of hours for the
// rest, waits a moment for the news, a second at most for each verified chain; where there
// are none to be had in that time it is answered by what was remembered, as long as that has
// not run out. A shorter MaxAge in Config.Verify bounds that, if the CA signs often enough.
// [certauth.Denied] acts at once.
//
// # Before the first request
//
// [Checker.Preload] reads Config.Lists and further CRLs at start-up, and [Checker.Ready]
// says whether all of them are there and current: for a readiness probe. Both are about
// lists that the operator names; nothing is known beforehand about what a certificate will
// name.
//
// # Many instances
//
// A [Store], in Redis for example, shares signed evidence between instances and over
// restarts; package dirstore has one in a directory. It is not trusted: what comes out is
// verified like what comes from the network, and its failures cost time alone. Instances do
// not wait for each other: those that start together fetch once each. What a store holds is
// as old as it is. If that is more than ten minutes past the time to ask again, the network
// is asked as well, and a request waits a second at most for that.
//
// # What must be true of your infrastructure
//
// The service reaches the responders and distribution points of its partners' CAs, mostly
// by plain HTTP on port 80: their answers are signed. A firewall or route table on the way
// out has to let that through. On Azure, with the outgoing traffic in a virtual network, a
// CA behind a private endpoint or on a peered network has private addresses: name them in
// HTTPOptions.AllowNets. Loopback, link-local, metadata and platform addresses stay closed
// unless each is named alone. Proxies in the environment are not used; HTTPOptions.Proxy is.
//
// Clocks agree within VerifyOptions.Skew, five minutes.
//
// OCSP tells the CA, and without TLS everybody on the way, which client is being checked,
// when, and by whom. A CRL tells nobody that: [CRLOnly], or Config.Lists with
// IgnoreCertificateURLs.
package revocation
