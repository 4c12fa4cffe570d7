package main

import (
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// row is one line of the table: a call and its expected outcome.
type row struct {
	what       string
	call       call
	want       outcome
	before     func(certauthtest.TB) // runs first, if set
	eventually bool                  // repeat the call for a while until the outcome is as expected
}

// call is one request.
type call struct {
	certificate *certauthtest.Certificate // presented in the TLS handshake; nil presents none
	direct      bool                      // directly to the service, bypassing the front end
	path        string
	header      http.Header // headers that the caller adds itself
}

// outcome is what the caller sees (status) and what the operator learns (the other fields).
type outcome struct {
	status int
	reason certauth.Reason
	who    string
}

const clientCertHeader = "X-ARR-ClientCert"

// rows lists the cases in the order of the table.
func (w *world) rows() []row {
	c := w.certs
	good := func(who string) outcome { return outcome{status: http.StatusOK, who: who} }
	refused := func(reason certauth.Reason) outcome {
		return outcome{status: http.StatusUnauthorized, reason: reason}
	}

	// A certificate is public: it is sent in handshakes and stored in logs. Anyone who has seen
	// one can write it into a header. Only the key proves the caller's identity.
	forged := http.Header{}
	forged.Set(clientCertHeader, c.orders.Base64())

	// A caller can write the evidence headers too. With only one header line this caller would be
	// accepted, because evidence is not proof. Make sure that only the front end can connect to
	// the service; if you cannot be sure, set AppService.From.
	twice := forged.Clone()
	twice.Add(clientCertHeader, c.billing.Base64())
	twice.Set("X-ARR-LOG-ID", "11111111-2222-3333-4444-555555555555")
	twice.Set("X-ARR-SSL", "2048|256|CN=any issuer|CN=any subject")
	twice.Set("X-AppService-Proto", "https")

	return []row{
		{
			what: "partner's certificate, good by OCSP", call: call{certificate: c.orders},
			want: good("orders (partner)"),
		},
		{
			what: "second partner's self-signed certificate, pinned", call: call{certificate: c.second},
			want: good("second (pinned)"),
		},
		{
			what: "same names from an unknown CA", call: call{certificate: c.unknownCA},
			want: refused(certauth.ReasonChainUntrusted),
		},
		{
			what: "copy of the partner's certificate, self-signed", call: call{certificate: c.copied},
			want: refused(certauth.ReasonChainUntrusted),
		},
		{
			what: "expired an hour ago", call: call{certificate: c.expired},
			want: refused(certauth.ReasonCertificateExpired),
		},
		{
			what: "valid from an hour from now", call: call{certificate: c.notYetValid},
			want: refused(certauth.ReasonCertificateNotYetValid),
		},
		{
			what: "same CA, name not on the list", call: call{certificate: c.otherName},
			want: refused(certauth.ReasonNameNotAllowed),
		},
		{
			what: "same CA, for servers only", call: call{certificate: c.serverOnly},
			want: refused(certauth.ReasonUsageNotAllowed),
		},
		{
			what: "CA certificate as client certificate", call: call{certificate: c.isCA},
			want: refused(certauth.ReasonCertificateIsCA),
		},
		{
			what: "forged header, straight to the service", call: call{direct: true, header: forged},
			want: refused(certauth.ReasonSourceUntrusted),
		},
		{
			// The front end deletes the header and has no certificate to write into a new one.
			what: "forged header, through the front end", call: call{header: forged},
			want: refused(certauth.ReasonCertificateMissing),
		},
		{
			what: "forged header twice, straight to the service", call: call{direct: true, header: twice},
			want: refused(certauth.ReasonCertificateMalformed),
		},
		{
			what: "no certificate",
			want: refused(certauth.ReasonCertificateMissing),
		},
		{
			what: "/health without a certificate", call: call{path: "/health"},
			want: good(""),
		},
		{
			what: "/admin, partner who may not", call: call{certificate: c.orders, path: "/admin"},
			want: outcome{http.StatusForbidden, certauth.ReasonNameNotAllowed, "orders (partner)"},
		},
		{
			what: "/admin, partner who may", call: call{certificate: c.billing, path: "/admin"},
			want: good("billing (partner)"),
		},
		{
			what: "partner's certificate, good by CRL", call: call{certificate: c.listed},
			want: good("orders (partner)"),
		},
		{
			what: "revoked, says OCSP", call: call{certificate: c.revokedOCSP},
			want: refused(certauth.ReasonCertificateRevoked),
		},
		{
			what: "revoked, says the CRL", call: call{certificate: c.revokedCRL},
			want: refused(certauth.ReasonCertificateRevoked),
		},
		{
			what: "OCSP responder down, failing hard", call: call{certificate: c.unanswered},
			want: refused(certauth.ReasonRevocationUnavailable),
		},
		{
			// The same outage, with a warning in the log. An attacker who can cause it can use a
			// revoked certificate here.
			what: "OCSP responder down, failing softly", call: call{certificate: c.board},
			want: good("board (board), unchecked"),
		},
		{
			// The answer says good in the responder's name, but another key signed it, so it is
			// no evidence.
			what: "OCSP answer forged", call: call{certificate: c.forged},
			want: refused(certauth.ReasonRevocationUnavailable),
		},
		{
			what: "about to be revoked", call: call{certificate: c.leaver},
			want: good("orders (partner)"),
		},
		{
			// The CA's recent answer is remembered. This delay is the price of not asking for
			// every request.
			what: "revoked since, a moment later", call: call{certificate: c.leaver},
			want: good("orders (partner)"), before: w.revokeLeaver,
		},
		{
			// The evidence is old enough to be refreshed in the background of a request that is
			// still answered from memory. Afterwards the caller is refused.
			what: "revoked since, 70 minutes later by the clock", call: call{certificate: c.leaver},
			want: refused(certauth.ReasonCertificateRevoked), before: w.wait, eventually: true,
		},
		{
			// The files are read again in the background of a request, so the first answers may
			// still use the old CA.
			what: "CA replaced on disk: the new CA's client", call: call{certificate: c.nextOrders},
			want: good("orders (partner)"), before: w.rotate, eventually: true,
		},
		{
			what: "CA replaced on disk: the old CA's client", call: call{certificate: c.orders},
			want: refused(certauth.ReasonChainUntrusted), eventually: true,
		},
	}
}
