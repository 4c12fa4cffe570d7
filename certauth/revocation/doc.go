// Package revocation determines from OCSP responses and CRLs whether certificates are
// revoked.
//
// A [Checker] finds, remembers and renews the evidence. It is the argument of
// [certauth.NotRevoked]; New(Config{}) returns the strict one. Package evidence verifies the
// evidence with pure functions, by the checks of evidence/RULES.md. Package fetch downloads
// it. The names of both packages that most programs need are also declared here.
//
// The [Status] of a certificate is [Good] or [Revoked] only if evidence that passed every check
// says so. It is [Unknown] if an authorised responder answers that it does not know the
// certificate, and [Unavailable], the zero value, which denies, if there is no authentic, fresh,
// applicable evidence. Good does not say that the certificate was ever issued; the verified chain
// does.
//
// # Sources of evidence
//
// A Checker judges every certificate below the root; with [LeafOnly] only the client's. For
// each certificate it queries two kinds of source, in the order of Config.Sources. OCSP
// responders are those of Config.Responders and the first three that the certificate names. CRLs
// are those of Config.Lists and of the first four distribution points of the certificate, with
// their delta CRLs, which contain the changes since a complete list. The second kind is queried
// when the first has failed or has not answered within half of Config.MaxWait. A list counts as
// soon as it is verified; its delta is fetched afterwards. Revoked from any source that was
// queried decides. After Unknown the remaining sources are queried.
//
// Nothing is fetched for a certificate whose chain has not verified. Wherever NotRevoked is in a
// policy, it is evaluated after all other rules about the certificate, so nothing is fetched for
// a certificate that one of them refuses. A Checker never fetches an issuer's certificate
// (caIssuers), an LDAP URL, or an indirect CRL. The default fetcher, [fetch.HTTPFetcher],
// connects to public addresses on ports 80 and 443; [HTTPOptions] can allow others. With
// Config.IgnoreCertificateURLs no URL from a certificate is fetched.
//
// # Guarantees
//
// Names without a type are fields of [Config].
//
//  1. A Good result counts only until its evidence expires. StaleGrace extends it only if
//     a source was queried at that time and did not answer. A source that has just failed is
//     queried again after five seconds.
//  2. Newer evidence replaces older evidence, whatever its source, the order of arrival, or
//     how long it has been in memory. A permanent revocation stays in effect while the
//     certificate is remembered.
//  3. A partner is identified by the root under which its chains verify. However many CAs,
//     hosts and lists a partner has, it cannot delay another partner's clients or use the
//     resources they need. For each partner at most eight fetches run at once, at most four of
//     them at one host, and further ones wait in a queue of its own. The lists being read for
//     one partner take at most one and a quarter times MaxListBytes; in addition a list of a
//     quarter of MaxListBytes may wait for the Store. When MaxListMemory or MaxRecords is
//     reached, lists or certificates of the partner that has most are dropped. If the chains of
//     a certificate lead to the roots of several partners, each of them fetches for itself. Each
//     entry of Lists is fetched like a partner's, and all together may have five times
//     MaxListBytes in hand.
//  4. A call waits at most MaxWait for one chain, five seconds by default, even if every
//     source hangs.
//  5. A [Store] can cost time, at most a quarter of MaxWait for each look-up, but it never
//     changes a decision.
//  6. The memory of the process is bounded, and so is the disk space that package dirstore uses.
//  7. The same evidence gives the same result in whatever order it arrives.
//
// # Caching and renewal
//
// Verified evidence is kept until its own nextUpdate or VerifyOptions.MaxAge. A verdict is kept
// only until evidence or a list changes or an interval ends, so that an expiry or a revocation
// takes effect on the next request. Requests of one partner that need the same answer share one
// fetch. Evidence that does not verify replaces nothing.
//
// Evidence is renewed when half of its life is over, or after one hour for OCSP and six hours for
// a CRL; meanwhile requests are answered from memory. A Checker reads both the wall clock and the
// monotonic clock: after the machine has slept, the first request queries the sources of evidence
// that has expired. Newer evidence can lift a certificateHold, so its source, OCSP or CRL, is
// queried every 15 minutes; one since January 1, 1970, by which a responder says that the CA never
// issued the certificate, is lifted by a newer response only.
//
// A responder that fails is not queried for five seconds, then for twice as long after each
// failure, at most five minutes. The same applies to a host after five failures in a row.
// Failures at the same moment count as one. When the pause ends, one request queries the
// source and the others wait for its answer. A 429 or 503 response is not followed by a second
// request, and Retry-After is honoured up to five minutes. [Checker.Refresh] ends all pauses and
// queries now; it does not join a fetch that began earlier.
//
// For a certificate without evidence a network failure is remembered for five seconds,
// evidence that did not verify for thirty seconds, the OCSP status unauthorized for five
// minutes, and Unknown for two minutes. An OCSP response without nextUpdate is used for five
// minutes at most after it was received, and not shared through a Store unless it says revoked;
// VerifyOptions.NoNextUpdateMaxAge bounds how old it may be then.
//
// # When there is no evidence
//
// [HardFail], the default, denies with [certauth.ReasonRevocationUnavailable], or with
// ReasonRevocationUnknown if the authority does not know the certificate. An outage of the CA
// therefore becomes an outage for its clients once the evidence expires. StaleGrace bridges at
// most one day, and never for a revoked certificate.
//
// [SoftFail] accepts a certificate for which there is no evidence, and logs each acceptance. It
// still denies if the evidence says Revoked, if the evidence has become too old and says
// permanently revoked, if it says Unknown, unless AllowUnknown is set, if the certificates of the
// chain do not belong together, and after Close. A current Good by another responder outweighs an OCSP
// answer that is too old, and so does a current list that is newer. With SoftFail an attacker who can
// block this service's access to the responder can use a revoked certificate. Use it only where that
// does less harm than refusing a valid client.
//
// # Time to effective revocation
//
// For an active client, a revocation takes effect on the first request after one hour from
// its publication by OCSP, or after six hours from its publication in a CRL. CAs publish CRLs
// with a delay of their own. After a pause without requests (twice Config.PollInterval for
// Config.Lists, hours for other sources) the first request waits for newer evidence, at most one
// second for each verified chain. If none arrives in that time, the remembered evidence decides,
// unless it has expired. A shorter MaxAge in Config.Verify shortens these times if the CA signs
// often enough. [certauth.Denied] takes effect at once.
//
// # Before the first request
//
// [Checker.Preload] reads Config.Lists and further CRLs at start-up, and [Checker.Ready]
// reports whether all of them are loaded and current, for a readiness probe, which keeps them
// current even if no request arrives. Both cover only the lists that the operator names; the
// sources that certificates will name are not known in advance.
//
// # Many instances
//
// A [Store], for example in Redis, shares signed evidence between instances and across
// restarts; package dirstore provides one in a directory. Instances do not wait for each other;
// instances that start together fetch once each. Evidence from a Store may be old. If it is more
// than ten minutes past its renewal time, the network is queried as well, and a request waits at
// most one second for that.
//
// # What must be true of your infrastructure
//
// The service must reach the responders and distribution points of its partners' CAs, mostly
// by plain HTTP on port 80, because the responses are signed. Outbound firewalls and route
// tables must allow that. On Azure, with the outgoing traffic in a virtual network, a
// CA behind a private endpoint or on a peered network has private addresses: name them in
// HTTPOptions.AllowNets. Loopback, link-local, metadata and platform addresses stay closed
// unless each is named by itself. Proxies in the environment are not used; HTTPOptions.Proxy is.
//
// Clocks must agree within VerifyOptions.Skew, five minutes by default.
//
// OCSP reveals to the CA, and without TLS to every observer on the network path, which client
// is being checked, when, and by which service. CRLs do not: use [CRLOnly], or Config.Lists
// with IgnoreCertificateURLs.
package revocation
