package revocation_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// spelt returns the identity with its name in another spelling, for the certificates that it
// issues.
func (i *identity) spelt(name []byte) *identity {
	cert := *i.cert
	cert.RawSubject = name
	return &identity{cert: &cert, key: i.key, issuer: i.issuer}
}

// spellings returns names that equal the scene's CA according to RFC 5280, section 7.1, or do not.
func spellings(t *testing.T, s *scene) map[string]struct {
	name []byte
	same bool
} {
	printable, utf8 := []byte("\x13\x0aClients CA"), []byte("\x0c\x0aClients CA")
	type spelling = struct {
		name []byte
		same bool
	}
	return map[string]spelling{
		"as it stands":           {s.ca.cert.RawSubject, true},
		"in another string type": {replaceOnce(t, s.ca.cert.RawSubject, printable, utf8), true},
		"in another letter case": {replaceOnce(t, s.ca.cert.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca")), true},
		"in other spacing":       {makeCert(t, " Clients   CA ", newKey(t), nil).cert.RawSubject, true},
		"another name":           {replaceOnce(t, s.ca.cert.RawSubject, []byte("Clients CA"), []byte("Clients CB")), false},
	}
}

// The same through the Checker: one CA under all spellings of its name, wherever they occur.
func TestChecker_NamesInOtherSpellings(t *testing.T) {
	for name, c := range spellings(t, newScene(t)) {
		t.Run(name, func(t *testing.T) {
			w := wire(t)
			other := makeCert(t, "Clients CA", w.ca.key, w.root.spelt(w.root.cert.RawSubject), asCA).spelt(c.name)
			client := makeCert(t, "client", newKey(t), other, asClient, func(cert *x509.Certificate) { cert.OCSPServer = []string{ocspURL} })
			local := w.operated(t, revocation.List{File: fileOf(t, encode(t, w.list(entryFor(client))))})
			found, err := local.CheckChain(t.Context(), w.chain(client))
			if !c.same {
				require.ErrorIs(t, err, revocation.ErrIssuerMismatch)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, isRevoked.String(), found.Status.String(), "in the operator's list")
			found, err = local.CheckChain(t.Context(), certs(client, other, w.root))
			require.NoError(t, err)
			assert.Equal(t, isRevoked.String(), found.Status.String(), "below a CA certificate that spells itself so")

			w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(r revocation.Request, response *ocsptest.Response) {
				hash := sha256.Sum256(client.cert.RawIssuer)
				assert.Contains(t, string(ocspRequestOf(t, r)), string(hash[:]), "RFC 6960, section 4.1.1: as it stands in the certificate")
				response.Answers[0].ID = ocsptest.IDOf(crypto.SHA256, other.cert, client.cert.SerialNumber)
			}))
			found, err = w.checker(t, ocspOnly, func(config *revocation.Config) { config.CertIDHash = crypto.SHA256 }).CheckChain(t.Context(), w.chain(client))
			require.NoError(t, err)
			assert.Equal(t, isGood.String(), found.Status.String())
		})
	}
}

func ocspRequestOf(t *testing.T, r revocation.Request) []byte {
	t.Helper()
	question := parseRequest(t, r)
	return append(question.IssuerNameHash, question.IssuerKeyHash...)
}

// finding C13: a CA that was renewed with the same key by a tool that computes key identifiers
// according to RFC 7093 signs lists and answers that verify with the old certificate, and vice
// versa; they were refused as forged, with an error about an attacker in between.
func TestChecker_RenewedCAWithAnotherKeyIdentifier(t *testing.T) {
	w := wire(t)
	renewed := makeCert(t, "Clients CA", w.ca.key, w.root, asCA, func(c *x509.Certificate) { c.SubjectKeyId = []byte("truncated SHA-256...") })
	for name, c := range map[string]struct {
		issuer, signer *identity
	}{
		"the old certificate, evidence by the new one": {w.ca, renewed},
		"the new certificate, evidence by the old one": {renewed, w.ca},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			client := makeCert(t, "client", newKey(t), c.issuer, asClient, func(cert *x509.Certificate) {
				cert.CRLDistributionPoints = []string{crlURL}
			})
			w.net.serve(crlURL, body(encode(t, w.signedBy(c.signer))))
			checker := w.checker(t, leafOnly, logging(&log))
			found, err := checker.CheckChain(t.Context(), certs(client, c.issuer, w.root))
			require.NoError(t, err)
			assert.Equal(t, isGood.String(), found.Status.String())
			assert.NotContains(t, log.text(), "ERROR")

			list, err := evidence.ParseCRL(encode(t, w.signedBy(c.signer, entryFor(client))), c.signer.cert, at(now))
			require.NoError(t, err)
			result, err := list.Lookup(client.cert, at(now))
			require.NoError(t, err)
			assert.Equal(t, revocation.Revoked, result.Status)

			delegate := makeCert(t, "responder", newKey(t), c.signer, asDelegate)
			answered := makeCert(t, "client", newKey(t), c.issuer, asClient)
			r := w.by(delegate)
			r.Answers = []ocsptest.Answer{w.answer(answered, ocsptest.StatusGood)}
			_, err = revocation.VerifyOCSP(encode(t, r), answered.cert, c.issuer.cert, at(now))
			require.NoError(t, err)
		})
	}
	t.Run("another key with the identifier is not enough", func(t *testing.T) {
		stranger := makeCert(t, "Clients CA", newKey(t), nil, asCA, func(c *x509.Certificate) { c.SubjectKeyId = w.ca.cert.SubjectKeyId })
		_, err := revocation.VerifyCRL(encode(t, w.signedBy(stranger)), w.client.cert, w.ca.cert, at(now))
		require.ErrorIs(t, err, revocation.ErrBadSignature)
		list, err := evidence.ParseCRL(encode(t, w.list()), w.ca.cert, at(now))
		require.NoError(t, err)
		_, err = list.Lookup(makeCert(t, "client", newKey(t), makeCert(t, "Clients CA", newKey(t), nil, asCA), asClient).cert, at(now))
		require.ErrorIs(t, err, revocation.ErrIssuerMismatch)
	})
	t.Run("the right key is found after several others", func(t *testing.T) {
		o := at(now)
		for range 6 {
			o.CRLIssuers = append(o.CRLIssuers, makeCert(t, "Clients CA", newKey(t), nil, asCA).cert)
		}
		right := makeCert(t, "Clients CA", newKey(t), nil, asCA)
		o.CRLIssuers = append(o.CRLIssuers, right.cert)
		l := w.signedBy(right)
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID([]byte("by another method")), ocsptest.CRLNumber(7)}
		_, err := revocation.VerifyCRL(encode(t, l), w.client.cert, w.ca.cert, o)
		require.NoError(t, err)
	})
}

func logging(to *lines) func(*revocation.Config) {
	return func(c *revocation.Config) { c.Logger = slog.New(slog.NewTextHandler(to, nil)) }
}

// finding C6: a keyUsage extension without any bit was treated as absent, for the issuer of a list,
// the signer of an answer, and a delegate.
func TestVerify_KeyUsageWithoutAnyBit(t *testing.T) {
	s := newScene(t)
	mute := makeCert(t, "Clients CA", s.ca.key, s.root, asCA, noUsage)
	require.Zero(t, mute.cert.KeyUsage)
	_, err := revocation.VerifyCRL(encode(t, s.list()), s.client.cert, mute.cert, at(now))
	require.ErrorIs(t, err, evidence.ErrCRLIssuer)
	_, err = evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, mute.cert, at(now))
	require.ErrorIs(t, err, evidence.ErrResponderNotAuthorized)
	delegate := makeCert(t, "responder", newKey(t), s.ca, asDelegate, noUsage)
	_, err = evidence.VerifyOCSP(encode(t, s.by(delegate)), s.client.cert, s.ca.cert, at(now))
	require.ErrorIs(t, err, evidence.ErrResponderNotAuthorized)

	// Without the extension there is no limit.
	free := makeCert(t, "Clients CA", s.ca.key, s.root, asCA, keyUsage(0))
	_, err = revocation.VerifyCRL(encode(t, s.list()), s.client.cert, free.cert, at(now))
	require.NoError(t, err)

	// Of two certificates of one CA, the permissions of either apply, in whichever order they are
	// given.
	w := wire(t)
	mute = makeCert(t, "Clients CA", w.ca.key, w.root, asCA, noUsage)
	free = makeCert(t, "Clients CA", w.ca.key, w.root, asCA, keyUsage(0))
	for name, c := range map[string]struct {
		cas  []*identity
		want string
	}{
		"none allowed":                       {[]*identity{mute}, isUnavailable.String()},
		"none allowed, twice":                {[]*identity{mute, mute}, isUnavailable.String()},
		"none allowed, then no limit":        {[]*identity{mute, free}, isGood.String()},
		"no limit, then none allowed":        {[]*identity{free, mute}, isGood.String()},
		"none allowed, then lists allowed":   {[]*identity{mute, w.ca}, isGood.String()},
		"lists allowed, then nothing at all": {[]*identity{w.ca, mute}, isGood.String()},
	} {
		t.Run(name, func(t *testing.T) {
			checker := w.checker(t, leafOnly, sources(revocation.CRLOnly))
			status := ""
			for _, ca := range c.cas {
				found, _ := checker.CheckChain(t.Context(), certs(w.issue(t, "client"), ca, w.root))
				status = found.Status.String()
				w.clock.advance(time.Minute) // evidence that did not verify is not fetched again at once
			}
			assert.Equal(t, c.want, status)
		})
	}
}
