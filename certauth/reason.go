package certauth

// Reason is a short stable string that says why a request was refused. Reasons are few, never
// contain client text, and are safe as metric labels and in alerts. New reasons may be added; the
// meaning of an existing one does not change.
type Reason string

// The reasons.
const (
	// ReasonNone is the zero value: nothing was refused.
	ReasonNone Reason = ""

	// ReasonCertificateMissing: the request offers no certificate.
	ReasonCertificateMissing Reason = "certificate_missing"

	// ReasonCertificateMalformed: the request offers something that is not exactly one
	// well-formed certificate in the form that the source reads.
	ReasonCertificateMalformed Reason = "certificate_malformed"

	// ReasonSourceUntrusted: the request offers a certificate, but its sender is not the front
	// end.
	ReasonSourceUntrusted Reason = "source_untrusted"

	// The certificate could be read but was refused.
	ReasonFrontEndUnverified     Reason = "front_end_unverified"
	ReasonChainUntrusted         Reason = "chain_untrusted"
	ReasonPinMismatch            Reason = "pin_mismatch"
	ReasonCertificateExpired     Reason = "certificate_expired"
	ReasonCertificateNotYetValid Reason = "certificate_not_yet_valid"
	ReasonCertificateIsCA        Reason = "certificate_is_ca"
	ReasonUsageNotAllowed        Reason = "usage_not_allowed"
	ReasonCertificateRevoked     Reason = "certificate_revoked"
	ReasonRevocationUnknown      Reason = "revocation_unknown"
	ReasonRevocationUnavailable  Reason = "revocation_unavailable"
	ReasonIssuerNotAllowed       Reason = "issuer_not_allowed"
	ReasonNameNotAllowed         Reason = "name_not_allowed"
	ReasonExtensionNotAllowed    Reason = "extension_not_allowed"
	ReasonKeyNotAllowed          Reason = "key_not_allowed"
	ReasonLifetimeNotAllowed     Reason = "lifetime_not_allowed"
	ReasonCertificateDenied      Reason = "certificate_denied"
	ReasonPolicyRefused          Reason = "policy_refused"

	// The request was refused for a reason that says nothing about its certificate: an
	// Authenticator or rule without a usable configuration, a limit on concurrent or total work,
	// the end of the request's context, and a panic or another internal failure.
	ReasonNotConfigured   Reason = "not_configured"
	ReasonOverloaded      Reason = "overloaded"
	ReasonRequestCanceled Reason = "request_canceled"
	ReasonInternalError   Reason = "internal_error"
)

// Error returns the reason as text. It makes a Reason a target for [errors.Is]: errors.Is(err,
// ReasonCertificateRevoked).
func (r Reason) Error() string { return string(r) }

// reasonInfo describes a reason. rank orders the refusals of the members of an [Any]: the member
// that came furthest explains most.
type reasonInfo struct {
	rank int
	hint string
}

// reasons is the only table of reasons, with rank and the operator's first step.
var reasons = map[Reason]reasonInfo{
	ReasonCertificateMissing:     {10, "check that the front end requires a client certificate on this path; a probe or a public path needs an entry in Config.Exclusions with its method and path"},
	ReasonCertificateMalformed:   {20, "check that Config.Source is the source of the front end that wrote the header"},
	ReasonSourceUntrusted:        {15, "the request did not come through the front end; check what can reach this port"},
	ReasonFrontEndUnverified:     {22, "the front end did not verify this certificate; look at its own log and its client CA"},
	ReasonPinMismatch:            {25, "if the partner has renewed the certificate, add the new pin next to the old one"},
	ReasonChainUntrusted:         {30, "add the issuing CA to Chain.Intermediates or its root to Chain.Roots, if you trust it"},
	ReasonCertificateIsCA:        {26, "a CA certificate does not identify a client; for a partner's self-signed certificate (openssl req -x509 makes CA:TRUE) use an exact pin: Thumbprints or Certificates"},
	ReasonUsageNotAllowed:        {40, "the partner needs a certificate with the extended key usage clientAuth"},
	ReasonCertificateExpired:     {45, "the partner must renew the certificate; check this host's clock too"},
	ReasonCertificateNotYetValid: {45, "check this host's clock; Validity.ClockSkew allows for a small difference"},
	ReasonIssuerNotAllowed:       {50, "the chain is trusted, but the rule does not list the issuing CA"},
	ReasonNameNotAllowed:         {50, "the certificate is trusted, but the rule does not list its name"},
	ReasonExtensionNotAllowed:    {50, "compare the extension with openssl x509 -text"},
	ReasonKeyNotAllowed:          {50, "the partner needs a key of an allowed algorithm and size"},
	ReasonLifetimeNotAllowed:     {50, "the rule limits the lifetime of a certificate or requires that it does not expire soon"},
	ReasonCertificateDenied:      {80, "the certificate or its key is on the deny list"},
	ReasonPolicyRefused:          {55, "a rule of the application refused; see its own text in the detail"},
	ReasonRevocationUnknown:      {70, "the responder does not know this certificate; was it issued by this CA?"},
	ReasonRevocationUnavailable:  {60, "no usable revocation evidence; check the network path to the responders and lists, and if the certificate names none, configure responders or lists"},
	ReasonCertificateRevoked:     {90, "the CA revoked this certificate; talk to the partner before anything else"},
	ReasonNotConfigured:          {95, "use the Authenticator that New returned without an error"},
	ReasonOverloaded:             {97, "more new certificates arrive than can be verified; find their sender (known callers are not affected)"},
	ReasonRequestCanceled:        {96, "the client disconnected or the deadline passed before the decision"},
}

// info describes the reason. One that is not in the table counts as an internal error.
func (r Reason) info() reasonInfo {
	if known, ok := reasons[r]; ok {
		return known
	}
	return reasonInfo{100, "a panic or a broken rule; the log record has the details"}
}
