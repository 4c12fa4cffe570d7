package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 40 to 44: the nonce.
func TestVerifyOCSP_Nonce(t *testing.T) {
	s := newScene(t)
	sent := bytes.Repeat([]byte{7}, 32)
	nonce := func(value []byte) []byte {
		r := s.good()
		if value != nil {
			r.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: value}}
		}
		return encode(t, r)
	}
	octets := func(content []byte) []byte { return ocsptest.Element(ocsptest.TagOctetString, content) }
	mode := func(m evidence.NonceMode, sent []byte) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) { o.NonceMode, o.Nonce = m, sent }
	}
	off := mode(evidence.NonceOff, nil)
	send, require := mode(evidence.NonceSend, sent), mode(evidence.NonceRequire, sent)
	other := bytes.Repeat([]byte{8}, 32)
	critical := s.good()
	critical.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: octets(sent), Critical: true}}
	const good, unavailable = evidence.Good, evidence.Unavailable
	wrong := evidence.ErrNonce
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"sent and back", nonce(octets(sent)), send, good, nil},
		{"required and back", nonce(octets(sent)), require, good, nil},
		{"required and back, critical", encode(t, critical), require, good, nil},
		{"case 40 another, sent", nonce(octets(other)), send, unavailable, wrong},
		{"case 40 another, required", nonce(octets(other)), require, unavailable, wrong},
		{"case 40 the one that was sent, cut", nonce(octets(sent[:31])), send, unavailable, wrong},
		{"case 40 the one that was sent, and more", nonce(octets(append(sent[:32:32], 7))), send, unavailable, wrong},
		{"case 40 unsolicited", nonce(octets(other)), off, good, nil},
		{"case 41 absent, off", nonce(nil), off, good, nil},
		{"case 41 absent, sent", nonce(nil), send, good, nil},
		{"case 41 absent, required", nonce(nil), require, unavailable, wrong},
		{"case 42 not nested, sent", nonce(sent), send, unavailable, wrong},
		{"case 42 not nested, required", nonce(sent), require, unavailable, wrong},
		{"case 42 not nested, unsolicited", nonce(sent), off, unavailable, wrong},
		{"case 42 bytes after it", nonce(append(octets(sent), 0)), send, unavailable, wrong},
		{"case 43 128 bytes", nonce(octets(make([]byte, 128))), mode(evidence.NonceRequire, make([]byte, 128)), good, nil},
		{"case 43 129 bytes", nonce(octets(make([]byte, 129))), mode(evidence.NonceRequire, make([]byte, 129)), unavailable, wrong},
		{"case 43 129 bytes, unsolicited", nonce(octets(make([]byte, 129))), off, unavailable, wrong},
		{"case 43 empty", nonce(octets(nil)), mode(evidence.NonceSend, []byte{}), unavailable, wrong},
		{"case 44 of another request", nonce(octets(sent)), mode(evidence.NonceSend, other), unavailable, wrong},
		{"case 44 required without one that was sent", nonce(octets(sent)), mode(evidence.NonceRequire, nil), unavailable, wrong},
	})
}

// Cases 45 and 46: unknown, and responses without an answer.
func TestVerifyOCSP_StatusOfTheResponse(t *testing.T) {
	s := newScene(t)
	unknown := s.good()
	unknown.Answers[0].Status = ocsptest.StatusUnknown
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{{"case 45 unknown", encode(t, unknown), nil, evidence.Unknown, nil}})
	for _, status := range []byte{1, 2, 3, 4, 5, 6, 17} {
		for name, bare := range map[string]bool{"without bytes": true, "with the bytes of a Good answer": false} {
			t.Run(fmt.Sprintf("case 46 status %d %s", status, name), func(t *testing.T) {
				r := s.good()
				r.Status, r.WithoutBytes = status, bare
				result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
				expect(t, result, err, evidence.Unavailable, evidence.ErrResponderStatus)
				var refusal evidence.ResponderStatusError
				require.ErrorAs(t, err, &refusal)
				assert.Equal(t, int(status), refusal.Status)
				assert.Equal(t, status == 2 || status == 3, refusal.Retryable())
			})
		}
	}
}

// Cases 47 to 50 and 53: strict DER.
func TestVerifyOCSP_Form(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	response := func(change func(*ocsptest.Response)) []byte {
		r := s.by(d)
		r.Version = ocsptest.Integer(big.NewInt(0))
		r.Extensions = []ocsptest.Extension{{OID: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}}
		change(&r)
		return encode(t, r)
	}
	answer := func(change func(*ocsptest.Answer)) []byte {
		return response(func(r *ocsptest.Response) { change(&r.Answers[0]) })
	}
	status := func(element ...byte) []byte { return answer(func(a *ocsptest.Answer) { a.Status = element }) }
	base := response(func(*ocsptest.Response) {})
	const good, unavailable = evidence.Good, evidence.Unavailable
	malformed := evidence.ErrMalformed
	junk := []byte{5, 0, 5, 0}
	cases := []evidenceCase{
		{"the base of this table", base, nil, good, nil},
		{"case 47 successful without bytes", response(func(r *ocsptest.Response) { r.WithoutBytes = true }), nil, unavailable, malformed},
		{"case 48 another response type", response(func(r *ocsptest.Response) { r.Type = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 99} }), nil, unavailable, evidence.ErrResponseType},
		{"case 48 version 2", response(func(r *ocsptest.Response) { r.Version = ocsptest.Integer(big.NewInt(1)) }), nil, unavailable, evidence.ErrResponseType},
		{"case 48 version of two bytes", response(func(r *ocsptest.Response) { r.Version = []byte{2, 2, 0, 0} }), nil, unavailable, malformed},
		{"case 50 indefinite length outside", append(append([]byte{0x30, 0x80}, base[4:]...), 0, 0), nil, unavailable, malformed},
		{"case 50 a length that is longer than needed", append([]byte{0x30, 0x83, 0}, base[2:]...), nil, unavailable, malformed},
		{"case 49 cut by a byte", base[:len(base)-1], nil, unavailable, malformed},
		{"case 53 no status", status(), nil, unavailable, malformed},
		{"case 53 good and unknown", status(0x80, 0, 0x82, 0), nil, unavailable, malformed},
		{"case 53 good twice", status(0x80, 0, 0x80, 0), nil, unavailable, malformed},
		{"case 53 good with content", status(0x80, 1, 0), nil, unavailable, malformed},
		{"case 53 good, constructed", status(0xA0, 0), nil, unavailable, malformed},
		{"case 53 unknown with content", status(0x82, 1, 0), nil, unavailable, malformed},
		{"case 53 choice 3", status(0x83, 0), nil, unavailable, malformed},
		{"case 53 revoked without a time", status(0xA1, 0), nil, unavailable, malformed},
		{"case 53 revoked, primitive", status(0x81, 0), nil, unavailable, malformed},
		{"case 53 revoked, trailing bytes", answer(func(a *ocsptest.Answer) {
			a.Status = ocsptest.Element(ocsptest.Explicit(1), ocsptest.At(now), junk)
		}), nil, unavailable, malformed},
		{"case 53 revoked, a reason that is no ENUMERATED", answer(func(a *ocsptest.Answer) {
			a.Status = ocsptest.Element(ocsptest.Explicit(1), ocsptest.At(now), ocsptest.Element(ocsptest.Explicit(0), []byte{2, 1, 1}))
		}), nil, unavailable, malformed},
		{"case 49 bytes after a SingleResponse's members", answer(func(a *ocsptest.Answer) { a.Behind = junk }), nil, unavailable, malformed},
		{"case 49 bytes after a CertID's members", answer(func(a *ocsptest.Answer) { a.ID.Behind = junk }), nil, unavailable, malformed},
		{"case 49 bytes after nextUpdate", answer(func(a *ocsptest.Answer) { a.NextUpdate = append(a.NextUpdate[:17:17], junk...) }), nil, unavailable, malformed},
		{"case 49 an empty list of extensions of an answer", answer(func(a *ocsptest.Answer) { a.Extensions = []ocsptest.Extension{} }), nil, unavailable, malformed},
		{"case 49 a FALSE that DER leaves out", response(func(r *ocsptest.Response) { r.Extensions[0].Boolean = []byte{1, 1, 0} }), nil, unavailable, malformed},
		{"case 49 a TRUE of 01", response(func(r *ocsptest.Response) { r.Extensions[0].Boolean = []byte{1, 1, 1} }), nil, unavailable, malformed},
		{"case 49 bytes in an extension", response(func(r *ocsptest.Response) { r.Extensions[0].Behind = junk }), nil, unavailable, malformed},
	}
	for _, place := range []ocsptest.Place{
		ocsptest.AfterAll, ocsptest.InOuter, ocsptest.InExplicit, ocsptest.InBytes, ocsptest.AfterBasic, ocsptest.InBasic, ocsptest.InCerts,
		ocsptest.InAlgorithm, ocsptest.InData, ocsptest.InVersion, ocsptest.InExtensions, ocsptest.InAnswers, ocsptest.InResponderID,
	} {
		der := response(func(r *ocsptest.Response) { r.Behind = map[ocsptest.Place][]byte{place: junk} })
		cases = append(cases, evidenceCase{"case 49 bytes " + string(place), der, nil, unavailable, malformed})
	}
	for name, content := range map[string]string{
		"HTML": "<!DOCTYPE html><html><body>Not found</body></html>", "an empty body": "", "JSON": `{"status":"good"}`, "one byte": "0",
		"an empty SEQUENCE": "0\x00", "a captive portal": "<html><head><meta http-equiv=refresh></head></html>",
	} {
		cases = append(cases, evidenceCase{"case 54 " + name, []byte(content), nil, unavailable, malformed})
	}
	cases = append(cases, evidenceCase{"case 54 nil", nil, nil, unavailable, malformed})
	run(t, evidence.VerifyOCSP, s.client, s.ca, cases)
}

// Cases 51 and 52: extensions.
func TestVerifyOCSP_Extensions(t *testing.T) {
	s := newScene(t)
	foreign := func(n int, critical bool) ocsptest.Extension {
		return ocsptest.Extension{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, n}, Critical: critical, Value: []byte{5, 0}}
	}
	ofResponse := func(list ...ocsptest.Extension) []byte {
		r := s.good()
		r.Extensions = list
		return encode(t, r)
	}
	ofAnswer := func(list ...ocsptest.Extension) []byte {
		r := s.good()
		r.Answers[0].Extensions = list
		return encode(t, r)
	}
	ofAnother := s.good()
	ofAnother.Answers = append(ofAnother.Answers, s.answer(s.other, ocsptest.StatusGood))
	ofAnother.Answers[1].Extensions = []ocsptest.Extension{foreign(1, true)}
	withSecond := s.good()
	withSecond.Answers = append(withSecond.Answers, s.answer(s.client, ocsptest.StatusGood))
	withSecond.Answers[1].Extensions = []ocsptest.Extension{foreign(1, true)}
	known := func(oid ...int) []byte {
		return ofAnswer(ocsptest.Extension{OID: oid, Critical: true, Value: []byte{5, 0}})
	}
	many := make([]ocsptest.Extension, 0, 17)
	for n := range 17 {
		many = append(many, foreign(n, false))
	}
	const good, unavailable = evidence.Good, evidence.Unavailable
	critical, limits := evidence.ErrCriticalExtension, evidence.ErrLimits
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 51 critical, of the response", ofResponse(foreign(1, true)), nil, unavailable, critical},
		{"case 51 not critical, of the response", ofResponse(foreign(1, false)), nil, good, nil},
		{"case 51 critical, of the answer", ofAnswer(foreign(1, true)), nil, unavailable, critical},
		{"case 51 not critical, of the answer", ofAnswer(foreign(1, false)), nil, good, nil},
		{"case 51 critical, of the answer about another", encode(t, ofAnother), nil, good, nil},
		{"case 51 critical, of a second answer about us", encode(t, withSecond), nil, unavailable, critical},
		{"case 51 critical CT list", known(1, 3, 6, 1, 4, 1, 11129, 2, 4, 5), nil, good, nil},
		{"case 51 critical CRL reference", known(1, 3, 6, 1, 5, 5, 7, 48, 1, 3), nil, good, nil},
		{"case 51 critical archive cutoff", known(1, 3, 6, 1, 5, 5, 7, 48, 1, 6), nil, good, nil},
		{"case 51 critical nonce in an answer", known(1, 3, 6, 1, 5, 5, 7, 48, 1, 2), nil, unavailable, critical},
		{"case 51 critical CT list, of the response", ofResponse(ocsptest.Extension{
			OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 5}, Critical: true, Value: []byte{5, 0},
		}), nil, unavailable, critical},
		{"case 52 one twice, of the response", ofResponse(foreign(1, false), foreign(2, false), foreign(1, false)), nil, unavailable, limits},
		{"case 52 one twice, of the answer", ofAnswer(foreign(1, false), foreign(1, false)), nil, unavailable, limits},
		{"case 52 sixteen, of the response", ofResponse(many[:16]...), nil, good, nil},
		{"case 52 seventeen, of the response", ofResponse(many...), nil, unavailable, limits},
		{"case 52 sixteen, of the answer", ofAnswer(many[:16]...), nil, good, nil},
		{"case 52 seventeen, of the answer", ofAnswer(many...), nil, unavailable, limits},
	})
}

// Cases 98 and 100: the arguments of both functions.
func TestVerify_Arguments(t *testing.T) {
	s := newScene(t)
	renamed := makeCert(t, "Clients CA of another name", s.ca.key, s.root, asCA)
	response, list := encode(t, s.good()), encode(t, s.list())
	for name, f := range map[string]struct {
		verify verifier
		der    []byte
	}{"OCSP": {evidence.VerifyOCSP, response}, "CRL": {bothWays(t), list}} {
		for _, c := range []struct {
			name         string
			cert, issuer *x509.Certificate
			now          time.Time
			err          error
		}{
			{"as it should be", s.client.cert, s.ca.cert, now, nil},
			{"case 98 issuer of another name and the same key", s.client.cert, renamed.cert, now, evidence.ErrIssuerMismatch},
			{"case 98 the root above", s.client.cert, s.root.cert, now, evidence.ErrIssuerMismatch},
			{"case 98 certificate and issuer swapped", s.ca.cert, s.client.cert, now, evidence.ErrIssuerMismatch},
			{"case 100 no time", s.client.cert, s.ca.cert, time.Time{}, evidence.ErrArgument},
			{"case 100 no certificate", nil, s.ca.cert, now, evidence.ErrArgument},
			{"case 100 no issuer", s.client.cert, nil, now, evidence.ErrArgument},
			{"case 100 nothing", nil, nil, now, evidence.ErrArgument},
			{"case 100 empty certificates", &x509.Certificate{}, &x509.Certificate{}, now, evidence.ErrArgument},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				result, err := f.verify(f.der, c.cert, c.issuer, evidence.VerifyOptions{Now: c.now})
				if c.err == nil {
					expect(t, result, err, evidence.Good, nil)
				} else {
					expect(t, result, err, evidence.Unavailable, c.err)
				}
			})
		}
	}
}
