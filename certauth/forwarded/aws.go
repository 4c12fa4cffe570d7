package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// ALB reads the leaf that an AWS Application Load Balancer forwards as percent-encoded PEM
// in X-Amzn-Mtls-Clientcert-Leaf, or the whole chain in X-Amzn-Mtls-Clientcert.
//
// Verified: possession of the key; in verify mode also the chain to the trust store and its
// revocation lists. No header reports the mode. The policy needs an anchor.
//
// Overwritten: not documented. Mutual TLS must be on, in the same mode, for every listener that
// reaches the target group: one without it, or in the other mode, which sets the other header,
// may let the client's own header through.
//
// Required configuration:
//
//	aws elbv2 modify-listener --listener-arn ... --mutual-authentication Mode=verify,TrustStoreArn=...
//
// and a security group that lets only the load balancer reach this process.
//
// Refused: literal spaces, a plus sign turned into one, a second block in verify mode. The
// characters + = and / may be escaped or not: AWS documents both.
//
// To verify before going live: the probes of the package documentation, on every listener.
//
// Source: AWS, "Mutual authentication with TLS in Application Load Balancer". Tested
// against documentation and constructed values only.
type ALB struct {
	// From identifies the load balancer, by its subnets. Required.
	From Gate
	// Passthrough reads the whole chain, leaf first, which passthrough mode forwards.
	Passthrough bool
	// Header is the name of the header, if you renamed it. The default is
	// X-Amzn-Mtls-Clientcert-Leaf, or X-Amzn-Mtls-Clientcert with Passthrough.
	Header string
}

// Prepare implements [certauth.Source].
func (s ALB) Prepare(env source.Environment) (*source.Reader, error) {
	l := layout{
		preset: "ALB", from: s.From, header: cmp.Or(s.Header, "X-Amzn-Mtls-Clientcert-Leaf"), codec: one(urlPEM1),
		form: "percent-encoded PEM",
	}
	if s.Passthrough {
		l.header, l.codec = cmp.Or(s.Header, "X-Amzn-Mtls-Clientcert"), several(decodeURLPEMChain)
	}
	return l.prepare(env)
}

// CloudFront reads the leaf as percent-encoded PEM from CloudFront-Viewer-Cert-Pem, which
// Amazon CloudFront sends in its required and optional modes. For passthrough mode, which
// sends RFC 9440 fields, use [RFC9440].
//
// Verified: possession of the key, and in required and optional mode the chain to the trust
// store. CloudFront-Viewer-Cert-Present only reports that there was a certificate, so the
// policy needs an anchor.
//
// Overwritten: not documented. In passthrough mode CloudFront reports a certificate and its
// fingerprint without sending it, so that the client's own CloudFront-Viewer-Cert-Pem may pass. So
// the certificate must have the fingerprint in CloudFront-Viewer-Cert-Sha256.
//
// Required configuration: viewer mTLS in required or optional mode for every distribution that has
// this origin; the viewer mTLS headers in the origin request policy: CloudFront-Viewer-Cert-Present,
// -Pem and -Sha256; and an origin that only CloudFront reaches (AWS's prefix list, a secret header).
//
// Refused: Present other than 1, no fingerprint, a fingerprint of another certificate.
//
// To verify before going live: the probes of the package documentation.
//
// Source: AWS, "Mutual TLS authentication (viewer mTLS)". Tested against documentation and
// constructed values only.
type CloudFront struct {
	// From identifies CloudFront: a SharedSecret that CloudFront sends as a custom origin
	// header, if possible combined with Peers. Required.
	From Gate
}

// Prepare implements [certauth.Source].
func (s CloudFront) Prepare(env source.Environment) (*source.Reader, error) {
	l := urlPEM("CloudFront", s.From, "CloudFront-Viewer-Cert-Pem", "CloudFront-Viewer-Cert-Present", "1", "", false)
	l.fingerprint, l.fingerprintHash = "CloudFront-Viewer-Cert-Sha256", HashSHA256
	return l.prepare(env)
}
