// Package certauth is net/http middleware that authenticates callers by the client
// certificate that a TLS-terminating front end forwards in a request header.
//
// It is for services behind a front end that ends TLS and forwards the client's
// certificate in a request header, Azure App Service first of all, and for services
// that end TLS themselves and need more than a list of CAs. App Service, like most
// front ends, checks nothing about the certificate that it forwards.
//
// # The trust boundary
//
// A certificate is public. Whoever can write the header can paste somebody's genuine
// certificate into it, and pins, chain and revocation checks all pass: that the caller
// holds the private key was proven to the front end and to nobody else. A [Source] is
// therefore always an explicit statement of who wrote the header, and [New] refuses a
// configuration without one. What no library can repair: a front end that forgets to
// remove the client's own copy on one of its listeners, and a second way to this
// process's port.
//
// # Quick start
//
// [New] takes a [Config] of a source and a policy; [Authenticator.ConfigureServer] puts all
// that a server serves behind it, [Authenticator.Handler] a handler; [Authenticator.Admit] is for interceptors. The examples below are complete. A policy is a tree of plain values:
//
//   - anchors, of which every accepting path needs one: [Chain], [Thumbprints],
//     [ThumbprintsSHA1], [PublicKeys], [Certificates];
//   - who issued it: [IssuedBy], [IssuerName];
//   - what it names: [Subject], [CommonNames], [Organizations], [OrganizationalUnits],
//     [DNSNames], [URIs], [SPIFFEIDs], [Emails], [IPs], [UPNs], [Extension];
//   - its dates, key and standing: [Validity], [Keys], [NotRevoked], [Denied];
//   - combinations, roles and your own rules: [All], [Any], [Not], [Named], [Matched],
//     [PolicyFunc].
//
// New finds every mistake of the configuration at once, each with its path, and treats
// whatever would silently accept as one: an empty list, a nil pool, a name that nothing
// vouches for. Zero values are the strict choice. What weakens safety has Insecure in
// its name.
//
// # Words
//
//   - Source: where the certificate comes from. Gate (package forwarded): who may send the
//     header.
//   - Anchor: a rule that ties a certificate to something you configured: a chain or a pin.
//   - Policy: the tree that you write. Rule: one condition in it.
//   - Facts: what is known of a certificate whatever the request. They are remembered.
//   - Evidence (package revocation): a signed OCSP response or CRL.
//   - Identity: a caller whom the policy accepted. Reason: why one was refused, in a word.
//
// # Refusals
//
// Every refusal is 401 with a body that is the same for every reason; a route's
// [Authenticator.Require] answers 403 to a known caller who is not allowed. The
// operator gets an [*Error] in the log, in Config.Observe and in Config.Deny:
//
//	Reason                                  look at
//	certificate_missing                     the front end's mode, excluded paths, plain HTTP;
//	                                        a probe needs an entry in Config.Exclusions
//	certificate_malformed                   the hint: another front end's form, or a
//	                                        certificate that has to be issued anew
//	source_untrusted                        who else can reach this port
//	front_end_unverified,                   the front end's own log; roots, intermediates,
//	chain_untrusted, pin_mismatch,          pins, renewals, clocks
//	certificate_is_ca, usage_not_allowed,
//	certificate_expired,
//	certificate_not_yet_valid
//	certificate_revoked                     the partner's CA
//	revocation_unknown,                     the evidence that the detail names; responders
//	revocation_unavailable                  and lists
//	issuer_, name_, extension_, key_,       the rule in Error.Rule
//	lifetime_not_allowed,
//	certificate_denied, policy_refused
//	not_configured                          start-up errors
//	overloaded                              who sends so many new certificates
//	request_canceled, internal_error        the log
//
// [errors.Is] finds the Reason of an Error: errors.Is(err, ReasonCertificateRevoked).
//
// The detail of an Error names the certificate of the chain and the property of it that is
// refused; the Hint is the one step that helps.
//
// "Missing", "malformed" and "untrusted source" are never confused: with Config.Optional
// only the first lets a request through, without an identity.
//
// # Log records
//
// The record of a request has the message "certauth: " and an [Outcome], and these
// attributes, each left out where there is none:
//
//	source, peer          Config.Source, and the other end of the connection
//	method, host, path    of the request; the path without the query
//	trace_id              of a valid traceparent header; handlers that know OpenTelemetry
//	                      take the span from the context of the record instead
//	route                 true for the decision of a Require
//	reason, rule          of a refusal; rule is the exclusion of an excluded request
//	detail, hint          what was found and wanted, and the operator's next step
//	fingerprint           SHA-256 of the certificate, wherever it could be read
//	subject               its name, where the policy vouches for it
//	subject_unverified    its name as the sender wrote it, which anybody can
//	roles                 of an accepted caller, see Named
//	revocation            status of the evidence, where it was asked for
//	revocation_why        what a waiver rests on
//	revocation_stale_since  when evidence that is used all the same ran out
//	repeated              how many refusals like this one were not logged since the record
//	                      before it (Config.LogRepeats)
//	other_paths           true where repeated counts refusals of this reason at other paths
//	                      too: beyond 1024 kinds within a minute they are not told apart
//
// What was counted of a kind that does not come again is a record without method and host,
// written when something else is refused. [Event] has the same for Config.Observe, one by
// one. Texts of the client are one line of ASCII, escaped and cut.
//
// # Rotation
//
// Files, environment variables and functions ([PEMFile], [CertFile], [CertDir], [Env], [CertFunc], [ThumbprintsFrom],
// [PublicKeysFrom]) are read again while requests arrive, at most once a
// Config.ReloadInterval and beside the requests; the first request after twice that time
// waits for it, 25 milliseconds at most. [Authenticator.Reload] reads them now.
// What is bad keeps the last good set and is reported. To rotate a CA, put the old and
// the new one into the file together, then take the old one out.
//
// The certificates of the configuration end too. New, every reload, and the first request of
// a day report roots, intermediates and [Certificates] that are used as a policy 30, 7 and 1
// days before they end and when they have ended; intermediates that reach no root; and a
// [Chain] without a root that is valid now. Each is one record, at level Warn, the last one at
// Error, with the path as rule, and one [Event] (see [Outcome]); a reload reports again what it
// leaves as it was.
//
// # What is remembered
//
// What a certificate says and which chains it verifies by cost most of a request and
// depend on bytes and trust material alone, so an [Authenticator] remembers them for
// certificates that it accepted, up to Config.CacheSize: for exactly the texts that were
// sent, until the material changes or a certificate of the chain begins or ends. No outcome
// of a rule is remembered: the whole policy is judged on every request, so that whatever
// changes acts on the next one. Verification itself is bounded: when too many new certificates wait for it, further ones are refused as
// overloaded, and known callers are served.
//
// # What is not promised
//
// The wording of errors, of log records and of [Authenticator.String] may change;
// reasons, outcomes and attributes may grow but keep their meaning. The package links the
// standard library alone.
package certauth
