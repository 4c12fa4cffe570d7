package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Nginx reads the leaf as percent-encoded PEM ($ssl_client_escaped_cert, since 1.13.5)
// together with $ssl_client_verify. nginx forwards no chain: configure the issuing CAs in
// certauth.Chain.Intermediates.
//
// Verified: possession of the key in a TLS handshake, including resumed ones; and, with
// ssl_verify_client on or optional, the chain to ssl_client_certificate. With
// optional_no_ca nginx verifies nothing, and the flag says so.
//
// Overwritten: a header that this location sets, regardless of the client's value. A
// proxy_set_header in an inner block discards all those of the outer blocks, and then the
// client's own headers pass. Names with an underscore or a dot are dropped by default.
//
// Required configuration, in the server block ("on" instead of "optional" makes nginx
// itself refuse clients without a certificate) and in every location that proxies to this
// service:
//
//	ssl_client_certificate clients.pem;
//	ssl_verify_client optional;
//
//	proxy_set_header X-Client-Cert   $ssl_client_escaped_cert;
//	proxy_set_header X-Client-Verify $ssl_client_verify;
//
// With grpc_pass both lines are grpc_set_header: proxy_set_header has no effect there, and the
// client's own headers pass.
//
// The file must hold the partners' roots and also their issuing CAs, because most clients send
// only their own certificate. If there is more than one issuing CA between a root and a client,
// set ssl_verify_depth to their number; the default is 1.
//
// If you pin the self-signed certificate of a partner, add that certificate to
// ssl_client_certificate as well: with "optional", nginx itself answers 400 to a client
// whose certificate does not verify, and the request never reaches this service. A new
// certificate of the partner is accepted only after it is added to that file and nginx is
// reloaded.
//
// If WebSocket must pass, never forward the client's value with "proxy_set_header Upgrade
// $http_upgrade": see section "Upgrade" of the package documentation.
//
// Refused: any verification result but SUCCESS, PEM that was decoded on the way (spaces, or
// a plus sign turned into one), a second block, $ssl_client_cert and $ssl_client_raw_cert.
//
// To verify before going live: the probes of the package documentation, on each server
// block and location, and one without TLS if nginx listens there too.
//
// Source: ngx_http_ssl_module; measured with nginx 1.22.1.
type Nginx struct {
	// From identifies nginx. Required.
	From Gate
	// Header carries $ssl_client_escaped_cert. The default is X-Client-Cert.
	Header string
	// VerifyHeader carries $ssl_client_verify. The default is X-Client-Verify.
	VerifyHeader string
	// FingerprintHeader is the header with $ssl_client_fingerprint (SHA-1). If set, the
	// header must be present and match the certificate. This detects a request in which the
	// front end set only one of the two headers.
	FingerprintHeader string
	// FrontEndVerifies treats SUCCESS as an anchor. If another server block of the port has
	// another ssl_client_certificate, the default server must have "ssl_reject_handshake on":
	// otherwise a client of the default server's CA that names no known host in the handshake
	// counts as verified on every host. Before nginx 1.26.3 and 1.27.4 it does by a resumed
	// session too (CVE-2025-23419).
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s Nginx) Prepare(env source.Environment) (*source.Reader, error) {
	l := urlPEM("Nginx", s.From, cmp.Or(s.Header, "X-Client-Cert"), cmp.Or(s.VerifyHeader, "X-Client-Verify"), "SUCCESS",
		s.FingerprintHeader, s.FrontEndVerifies)
	l.form += " ($ssl_client_escaped_cert)"
	return l.prepare(env)
}

// IngressNginx reads the headers of the Kubernetes ingress-nginx controller:
// ssl-client-cert as percent-encoded PEM and ssl-client-verify. The controller was retired
// in March 2026 and receives no more fixes. The preset is for clusters that still run it,
// and for Traefik's provider for the same annotations. Implementations of the Gateway API
// use other headers.
//
// Verified: as for [Nginx], per host and not per path.
//
// Overwritten: both headers, but only on hosts with the auth-tls annotations, and the
// certificate header only with auth-tls-pass-certificate-to-upstream. Without the
// annotations a client's own ssl-client-cert and ssl-client-verify: SUCCESS pass. With
// pass-certificate off, a client with any valid certificate gets SUCCESS together with the
// ssl-client-cert that it wrote itself. Nothing in the request reveals this, so probe for
// it.
//
// Required configuration, as annotations of every Ingress of the host:
//
//	nginx.ingress.kubernetes.io/auth-tls-secret: "default/client-ca"
//	nginx.ingress.kubernetes.io/auth-tls-verify-client: "on"
//	nginx.ingress.kubernetes.io/auth-tls-pass-certificate-to-upstream: "true"
//
// The secret holds the CAs that [Nginx] requires in ssl_client_certificate;
// auth-tls-verify-depth is ssl_verify_depth.
//
// Refused: as for [Nginx].
//
// To verify before going live: the probes of the package documentation on every host, above
// all the one with a valid certificate and another caller's certificate in the header.
//
// Source: kubernetes/ingress-nginx, annotations and template; its directives were run on
// nginx 1.22.1, the controller itself was not.
type IngressNginx struct {
	// From identifies the controller, by the network of its pods. All pods of the cluster have
	// addresses of that network, so a NetworkPolicy must let only the controller's reach this
	// process. Required.
	From Gate
	// FrontEndVerifies treats SUCCESS as an anchor.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s IngressNginx) Prepare(env source.Environment) (*source.Reader, error) {
	return urlPEM("IngressNginx", s.From, "ssl-client-cert", "ssl-client-verify", "SUCCESS", "", s.FrontEndVerifies).prepare(env)
}

// urlPEM is the layout of nginx and of front ends built on it: one certificate, one flag,
// and optionally a SHA-1 fingerprint.
func urlPEM(preset string, from Gate, header, flag, value, fingerprint string, verifies bool) layout {
	l := layout{
		preset: preset, from: from, header: header, codec: one(urlPEM1), verifies: verifies,
		form: "one certificate in percent-encoded PEM",
	}
	if flag != "" {
		l.flags = []Flag{{Header: flag, Value: value}}
	}
	if fingerprint != "" {
		l.fingerprint, l.fingerprintHash = fingerprint, HashSHA1
	}
	return l
}
