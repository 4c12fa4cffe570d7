package outbound

import "crypto/tls"

// GetClientCertificate is for the field of that name in a [tls.Config]. It returns the certificate in use or an
// [*Error], never an empty certificate. If only this field is set, the server is verified as the tls.Config says;
// [Certificate.TLSConfig] also applies the settings of Config. If the tls.Config has a ClientSessionCache, resumed
// sessions continue with the certificate with which they began.
func (c *Certificate) GetClientCertificate(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.present(nil, "", request)
}

// present answers a server that requests a certificate. A nil state means the state in use.
func (c *Certificate) present(s *state, host string, request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	inUse, err := c.stateInUse()
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = inUse
	}
	if request == nil {
		return nil, fail(ReasonNotConfigured, "no request").at("connection")
	}
	event := Event{Outcome: OutcomePresented, Host: host, Protocol: tls.VersionName(request.Version)}
	refuse := func(err error) (*tls.Certificate, error) {
		event.Outcome, event.Err = OutcomeRefused, asError(err, ReasonNotConfigured)
		c.tell(event, s, false)
		return nil, err
	}
	if err := c.expired(s); err != nil {
		return refuse(err)
	}
	withoutHints := *request
	withoutHints.AcceptableCAs = nil
	if err := withoutHints.SupportsCertificate(&s.cert); err != nil {
		return refuse(fail(ReasonAlgorithmMismatch, "%w", err).at("connection"))
	}
	if len(request.AcceptableCAs) > 0 && request.SupportsCertificate(&s.cert) != nil {
		// The names are only a hint. Servers behind a front end often name the wrong ones, and without the certificate
		// the connection is certain to fail.
		event.Err = fail(ReasonCAHintMismatch, "the server names %d CAs, and none of them is in the chain of %s", len(request.AcceptableCAs), describe(s.leaf)).at("connection")
	}
	c.tell(event, s, false)
	presented := s.cert
	return &presented, nil
}

// TLSConfig returns a configuration that presents the certificate in use at the time of each handshake and verifies the
// server as Config says. serverName is the server's DNS name or IP address. It may be empty for clients that set
// tls.Config.ServerName themselves, as those of gRPC and most databases do, but not that of MySQL, which does so only
// without InsecureSkipVerify. If it is empty, a server addressed by its IP address is refused, because crypto/tls does
// not tell the verification which address was meant.
//
// The caller may change the result, except for two fields that belong together: InsecureSkipVerify is set because
// VerifyConnection does the whole verification, with roots that can be reloaded. A caller that replaces
// VerifyConnection disables all verification. Sessions are not resumed, because a session would continue with a
// certificate that may have been replaced.
//
// A TLSConfig protects handshakes and nothing else. An http.Client that uses it in a transport of its own, unlike one with
// [Certificate.Transport], follows redirects to other servers, which then receive the request and the certificate; sends
// requests for http URLs in the clear; and keeps using connections of a certificate that was replaced. Let its
// CheckRedirect return http.ErrUseLastResponse.
func (c *Certificate) TLSConfig(serverName string) *tls.Config {
	config := &tls.Config{
		ServerName: serverName,
		MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.present(nil, serverName, request)
		},
		// crypto/tls would use roots that cannot be reloaded.
		InsecureSkipVerify:     true, //nolint:gosec // G402: VerifyConnection verifies more than crypto/tls does, and resumed sessions too
		VerifyConnection:       func(cs tls.ConnectionState) error { return c.verifyServer(serverName, cs) },
		SessionTicketsDisabled: true,
	}
	if c != nil && c.config.RenegotiateOnce {
		config.Renegotiation, config.MaxVersion = tls.RenegotiateOnceAsClient, tls.VersionTLS12
	}
	if c != nil && c.config.Now != nil {
		config.Time = c.config.Now
	}
	return config
}

// generationConfig is for the connections of one generation of a Transport. Its certificate and roots do not change, so
// crypto/tls can verify the server itself and sessions may be resumed.
func (c *Certificate) generationConfig(s *state) *tls.Config {
	config := c.TLSConfig("")
	config.RootCAs, config.InsecureSkipVerify = s.roots, false
	config.ClientSessionCache, config.SessionTicketsDisabled = tls.NewLRUClientSessionCache(0), false
	config.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		host := ""
		if ctx := request.Context(); ctx != nil {
			if call, ok := ctx.Value(callKey{}).(*call); ok {
				if host = call.peer(); host == call.host {
					call.asked(host)
				}
			}
		}
		return c.present(s, host, request)
	}
	config.VerifyConnection = func(cs tls.ConnectionState) error {
		if err := c.checkPins(cs); err != nil {
			return err.at("connection") // RoundTrip reports it, because the host is not known here
		}
		return nil
	}
	return config
}
