// Package certauth is net/http middleware that authenticates callers by the client
// certificate that a TLS-terminating front end forwards in a request header.
//
// It is for services behind such a front end, first of all Azure App Service, and for
// services that terminate TLS themselves and need more than a list of CAs. App Service, like
// most front ends, checks nothing about the certificate that it forwards.
//
// # The trust boundary
//
// A certificate is public. Anyone who can write the header can paste a genuine certificate of
// another caller into it, and pin, chain and revocation checks all pass, because only the
// front end saw the caller prove possession of the private key. A [Source] is therefore an
// explicit statement of which sender may write the header, and [New] refuses a configuration
// without one. No library can detect a front end that forwards the client's own copy of the
// header on one of its listeners, or a second network path to this process's port.
//
// # Quick start
//
// [New] makes an [Authenticator] from a [Config] with a source and a policy.
// [Authenticator.ConfigureServer] protects everything that a server serves,
// [Authenticator.Handler] protects a handler, and [Authenticator.Admit] is for interceptors.
// The package's examples show each of them, and the README has a whole program. A policy is a
// tree of plain values:
//
//   - anchors, of which every accepting path needs one: [Chain], [Thumbprints],
//     [ThumbprintsSHA1], [PublicKeys], [Certificates], and [AcceptServerAuth] around one;
//   - rules on the issuer: [IssuedBy], [IssuerName];
//   - rules on names: [Subject], [CommonNames], [Organizations], [OrganizationalUnits],
//     [DNSNames], [URIs], [SPIFFEIDs], [Emails], [IPs], [UPNs], [Extension];
//   - rules on dates, key and status: [Validity], [Keys], [NotRevoked], [Denied];
//   - combinations, roles and your own rules: [All], [Any], [Not], [Named], [Matched],
//     [PolicyFunc].
//
// New reports every mistake of the configuration at once, each with its path. Values that
// would accept silently are mistakes: an empty list, a nil pool, a rule on a name without an
// anchor that vouches for it. Zero values are the strict choice. Options that weaken safety have
// Insecure in their names.
//
// # Words
//
//   - Source: the place in a request where the certificate comes from. Gate (package
//     forwarded): a check of the sender of the header.
//   - Leaf: the caller's own certificate, the first one of its chain.
//   - Pin: one certificate or public key that you list, itself or by its hash.
//   - Anchor: a rule that ties a certificate to something you configured: a chain or a pin. It
//     vouches for the names in the certificate, unless it pins only the public key.
//   - Material: certificates and pins of the configuration.
//   - Policy: the tree that you write. Rule: one condition in it. Path through the
//     policy: the rules that one caller must satisfy together, with one member of each [Any].
//   - Facts: properties of a certificate that do not depend on the request. They are cached.
//   - Evidence (package revocation): a signed OCSP response or CRL.
//   - Identity: a caller that the policy accepted. Reason: the class of a refusal.
//
// # Refusals
//
// Every refusal is answered with 401 and a body that is the same for every reason; a route's
// [Authenticator.Require] answers 403 to a known caller that is not allowed. The operator
// receives an [*Error] in the log, in Config.Observe and in Config.Deny:
//
//	Reason                                  look at
//	certificate_missing                     the front end's mode, excluded paths, plain HTTP;
//	                                        a probe needs an entry in Config.Exclusions
//	certificate_malformed                   the hint: another front end's form, or a
//	                                        certificate that must be reissued
//	source_untrusted                        other senders that can reach this port
//	front_end_unverified,                   the front end's own log; roots, intermediates,
//	chain_untrusted, pin_mismatch,          pins, renewals, clocks
//	certificate_is_ca, usage_not_allowed,
//	certificate_expired,
//	certificate_not_yet_valid
//	certificate_revoked                     the partner's CA
//	revocation_unknown,                     the evidence that the detail names; responders
//	revocation_unavailable                  and lists
//	issuer_not_allowed, name_not_allowed,   the rule in Error.Rule
//	extension_not_allowed,
//	key_not_allowed, lifetime_not_allowed,
//	certificate_denied, policy_refused
//	not_configured                          start-up errors
//	overloaded                              which callers send so many new certificates
//	request_canceled, internal_error        the log
//
// [errors.Is] finds the Reason of an Error: errors.Is(err, ReasonCertificateRevoked).
//
// The detail of an Error names the certificate of the chain and the property that caused the
// refusal; the Hint is the operator's next step.
//
// "Missing", "malformed" and "untrusted source" are never confused. With Config.Optional only
// a missing certificate lets a request through, without an identity.
//
// # Log records
//
// The record of a request has the message "certauth: " followed by an [Outcome], and these
// attributes, each only if it has a value:
//
//	source, peer          Config.Source, and the other end of the connection
//	method, host, path    of the request; the path without the query
//	trace_id              of a valid traceparent header; log handlers for OpenTelemetry
//	                      take the span from the context of the record instead
//	route                 true for a decision of Authenticator.Require
//	reason, rule          of a refusal; for an excluded request rule is the exclusion
//	detail, hint          what was found and expected, and the operator's next step
//	fingerprint           SHA-256 of the certificate, if it could be read
//	subject               its subject, or else its alternative names, if the policy vouches for them
//	subject_unverified    otherwise the same, which any sender can forge
//	server_auth           the Reason of the AcceptServerAuth that accepted the caller
//	roles                 of an accepted caller, see Named
//	revocation            status of the evidence, if revocation was checked
//	revocation_why        the reason for accepting a certificate without evidence
//	revocation_stale_since  when evidence expired that is nevertheless used
//	repeated              number of refusals of this kind that were not logged since the
//	                      previous record (Config.LogRepeats)
//	other_paths           true if repeated includes refusals of this reason at other paths, or
//	                      of other certificates: more than 1024 kinds within a minute are not
//	                      distinguished, counted apart for verified callers and all others
//
// If a kind of refusal does not occur again, its remaining count is written as a record
// without method and host, together with a later refusal of another kind; its message is
// "certauth: refusals" if it counts several reasons. Config.Observe receives every single
// [Event] with the same contents. Texts of the client are one line of ASCII, escaped and cut.
//
// # Rotation
//
// Files, environment variables and functions ([PEMFile], [CertFile], [CertDir], [Env],
// [CertFunc], [ThumbprintsFrom], [ThumbprintsSHA1From], [PublicKeysFrom]) are read again while
// requests arrive, at most once per Config.ReloadInterval and in the background. If more than
// twice that time has passed since the last read, the next request waits for the new one, for at
// most 25 milliseconds. [Authenticator.Reload] reads them at once. If a reload fails, the last
// good set stays in use and the failure is reported. To rotate a CA, put the old and the new one
// into the file together, and remove the old one later.
//
// The certificates of the configuration are checked in New, after every reload, and every 24
// hours while requests arrive. The check reports roots, intermediates, the certificates of an
// [IssuedBy], and [Certificates] that are used as a policy, 30, 7 and 1 days before they expire
// and when they have expired; intermediates that chain to no root; and a [Chain] without a root
// that is valid now. Each report is one record with the path as rule, at level Warn or, for the
// last one, Error, and one [Event] (see [Outcome]). After a reload, defects that remain are
// reported again.
//
// # Caching
//
// Parsing a certificate and verifying its chains take most of the time of a request, and the
// results depend only on the certificate and the trust material. An [Authenticator] therefore
// remembers them for accepted certificates, up to Config.CacheSize: for exactly the texts that
// were sent, until the material changes or a certificate of the chain becomes valid or
// expires. It never remembers the result of a rule. The whole policy is evaluated on every
// request, so that every change takes effect on the next one. Verification is bounded: if too
// many new certificates wait for it, further ones are refused as overloaded, while known
// callers are served.
//
// # Compatibility
//
// The texts of errors, of log records and of [Authenticator.String] may change. Reasons,
// outcomes and attributes may be added but keep their meaning. The package links only the
// standard library.
package certauth
