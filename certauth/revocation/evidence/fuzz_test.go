package evidence_test

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// FuzzVerifyOCSP treats bytes as a response and, signed by the issuer, as its signed part;
// otherwise only copies of a seed would pass the signature check. x/crypto/ocsp also reads every
// accepted response and finds the same status in it, except for the differences in section 1 of the
// specification: several answers about us, of which it uses the first, and harmless critical
// extensions of a single answer.
func FuzzVerifyOCSP(f *testing.F) {
	s, d := fixedScene(f)
	seed := func(change func(*ocsptest.Response)) {
		r := s.good()
		change(&r)
		f.Add(encode(f, r), false)
		f.Add(r.Data(), true)
	}
	octets := ocsptest.Element(ocsptest.TagOctetString, []byte("nonce"))
	seed(func(*ocsptest.Response) {})
	seed(func(r *ocsptest.Response) { *r = s.by(d) })
	seed(func(r *ocsptest.Response) { r.Responder = ocsptest.ByKey(s.ca.cert) })
	seed(func(r *ocsptest.Response) {
		r.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: octets}}
	})
	seed(func(r *ocsptest.Response) { r.Answers[0].NextUpdate = nil })
	seed(func(r *ocsptest.Response) { r.Answers[0].Status = ocsptest.StatusUnknown })
	seed(func(r *ocsptest.Response) { r.Answers[0].Status = ocsptest.StatusRevoked(ocsptest.At(now), 6) })
	seed(func(r *ocsptest.Response) { r.Answers = append(r.Answers, s.answer(s.other, ocsptest.StatusUnknown)) })
	seed(func(r *ocsptest.Response) { r.Status, r.WithoutBytes = 3, true })
	seed(func(r *ocsptest.Response) { r.Answers[0].NextUpdate = ocsptest.Text("00010101000000Z") })
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign {
			r := s.good()
			r.TBS = small(data)
			data = encode(t, r)
		}
		result, err := evidence.VerifyOCSP(data, s.client.cert, s.ca.cert, at(now))
		if result.Status == evidence.Unavailable {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		theirs, err := ocsp.ParseResponseForCert(data, s.client.cert, s.ca.cert)
		if err != nil && (answersAboutUs(data) > 1 || err.Error() == "unsupported critical extension") {
			return
		}
		require.NoError(t, err, "x/crypto/ocsp refuses what was accepted as %s: %x", result.Status, data)
		want := map[int]evidence.Status{ocsp.Good: evidence.Good, ocsp.Revoked: evidence.Revoked, ocsp.Unknown: evidence.Unknown}
		if answersAboutUs(data) == 1 {
			assert.Equal(t, want[theirs.Status], result.Status, "%x", data)
		}
	})
}

// small limits the signed data, to spend the time on small inputs.
func small(data []byte) []byte { return data[:min(len(data), 1<<14)] }

// answersAboutUs counts the answers of an accepted response, all of them: that the fuzzer finds two
// about us is equivalent to two about any certificate.
func answersAboutUs(der []byte) int {
	var outer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type     asn1.ObjectIdentifier
			Response []byte
		} `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return 0
	}
	var basic struct {
		Data struct {
			Version   int `asn1:"explicit,tag:0,default:0,optional"`
			Responder asn1.RawValue
			Produced  asn1.RawValue
			Answers   []asn1.RawValue
			Rest      asn1.RawValue `asn1:"optional"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
		Certs     asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(outer.Bytes.Response, &basic); err != nil {
		return 0
	}
	return len(basic.Data.Answers)
}

// FuzzVerifyCRL does the same for lists: crypto/x509 also reads every accepted list, except version
// 1, and finds the same entry in it.
func FuzzVerifyCRL(f *testing.F) {
	s, _ := fixedScene(f, point(uri(shardA)))
	seed := func(l ocsptest.List) {
		f.Add(encode(f, l), false)
		f.Add(l.Data(), true)
	}
	seed(s.list())
	seed(s.list(entryFor(s.client, ocsptest.ReasonCode(6))))
	seed(s.withPoint(uri(shardA)))
	seed(s.withPoint(uri(shardB), ocsptest.Flag(1), ocsptest.Reasons(ocsptest.Context(3), 1, 2)))
	v1 := s.list()
	v1.NoVersion, v1.Extensions = true, nil
	seed(v1)
	general := s.list()
	general.ThisUpdate, general.NextUpdate = ocsptest.At(now), ocsptest.Text("00010101000000Z")
	seed(general)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign {
			l := s.list()
			l.TBS = small(data)
			data = encode(t, l)
		}
		for _, o := range []evidence.VerifyOptions{
			at(now), {Now: now, AllowV1CRL: true, AllowEmptyRevokedList: true, AllowNoNextUpdate: true},
		} {
			result, err := evidence.VerifyCRL(data, s.client.cert, s.ca.cert, o)
			if result.Status == evidence.Unavailable {
				require.Error(t, err)
				continue
			}
			require.NoError(t, err)
			der := data
			list, err := x509.ParseRevocationList(der)
			if err != nil && o.AllowV1CRL && err.Error() == "x509: unsupported crl version" {
				continue
			}
			require.NoError(t, err, "crypto/x509 refuses what was accepted as %s: %x", result.Status, data)
			require.NoError(t, s.ca.cert.CheckSignature(list.SignatureAlgorithm, list.RawTBSRevocationList, list.Signature))
			listed := false
			for _, e := range list.RevokedCertificateEntries {
				listed = listed || e.SerialNumber.Cmp(s.client.cert.SerialNumber) == 0
			}
			assert.Equal(t, listed, result.Status == evidence.Revoked, "%x", data)
		}
	})
}
