package evidence_test

import (
	"crypto/x509"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// survivors returns the changes after which the evidence is still Good, as "offset:value": each byte is replaced by every other
// value (with -short: one of its bits is flipped). Any status other than Good and Unavailable fails the test, because bad
// evidence is never Revoked either.
func survivors(t *testing.T, verify verifier, der []byte, cert, issuer *x509.Certificate, from, to int) []string {
	t.Helper()
	var mutex sync.Mutex
	var found, wrong []string
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() {
			changed := append([]byte(nil), der...)
			for offset := from + worker; offset < to; offset += workers {
				for value := range 256 {
					if byte(value) == der[offset] || os.Getenv("CERTAUTH_EXHAUSTIVE") == "" && bits.OnesCount8(byte(value)^der[offset]) > 1 {
						continue
					}
					changed[offset] = byte(value)
					result, err := verify(changed, cert, issuer, at(now))
					if result.Status != evidence.Unavailable || err == nil {
						mutex.Lock()
						place := fmt.Sprintf("%d:%02x", offset, value)
						if result.Status == evidence.Good {
							found = append(found, place)
						} else {
							wrong = append(wrong, place)
						}
						mutex.Unlock()
					}
				}
				changed[offset] = der[offset]
			}
		})
	}
	group.Wait()
	assert.Empty(t, wrong, "changes that gave another status")
	return found
}

// Every single byte of a Good response, all 255 other values: never Good.
func TestVerifyOCSP_NoChangedByteStaysGood(t *testing.T) {
	s := newScene(t)
	rsaScene := sceneWithCAKey(t, rsaKey(t, 2048))
	full := s.good()
	full.Answers[0].Extensions = []ocsptest.Extension{{OID: ocsptest.OIDCRLNumber, Value: []byte{5, 0}}}
	full.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: ocsptest.Element(ocsptest.TagOctetString, []byte("nonce"))}}
	for name, c := range map[string]struct {
		s *scene
		r ocsptest.Response
	}{
		"signed by the issuer, ECDSA": {s, full},
		"signed by the issuer, RSA":   {rsaScene, rsaScene.good()},
		"signed by a delegate":        {s, s.by(s.delegate(t))},
	} {
		t.Run(name, func(t *testing.T) {
			der := encode(t, c.r)
			result, err := evidence.VerifyOCSP(der, c.s.client.cert, c.s.ca.cert, at(now))
			expect(t, result, err, evidence.Good, nil)
			assert.Empty(t, survivors(t, evidence.VerifyOCSP, der, c.s.client.cert, c.s.ca.cert, 0, len(der)))
		})
	}
}

// An embedded certificate that did not sign is not signed itself: changes within it may stay Good,
// changes anywhere else may not.
func TestVerifyOCSP_ChangesInCertificatesOfOthers(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	for name, c := range map[string]struct {
		r      ocsptest.Response
		signer []byte // nil: the issuer, not embedded
	}{
		"signed by the issuer, another embedded":           {s.good(), nil},
		"signed by a delegate, another embedded before it": {s.by(d), d.cert.Raw},
	} {
		t.Run(name, func(t *testing.T) {
			stranger := s.other.cert.Raw
			c.r.Certificates = [][]byte{stranger}
			if c.signer != nil {
				c.r.Certificates = append(c.r.Certificates, c.signer)
			}
			der := encode(t, c.r)
			at := indexOnce(t, der, stranger)
			assert.Empty(t, survivors(t, evidence.VerifyOCSP, der, s.client.cert, s.ca.cert, 0, at))
			assert.Empty(t, survivors(t, evidence.VerifyOCSP, der, s.client.cert, s.ca.cert, at+len(stranger), len(der)))
			assert.NotEmpty(t, survivors(t, evidence.VerifyOCSP, der, s.client.cert, s.ca.cert, at+10, at+40), "the test must reach the unsigned part")
		})
	}
}

// Every single byte of a Good list, all 255 other values: never Good.
func TestVerifyCRL_NoChangedByteStaysGood(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	l := s.withPoint(uri(shardA))
	l.Entries = append(l.Entries, entryFor(s.root, ocsptest.ReasonCode(1)))
	rsaScene := sceneWithCAKey(t, rsaKey(t, 2048))
	for name, c := range map[string]struct {
		s *scene
		l ocsptest.List
	}{"ECDSA": {s, l}, "RSA": {rsaScene, rsaScene.list()}} {
		t.Run(name, func(t *testing.T) {
			der := encode(t, c.l)
			result, err := bothWays(t)(der, c.s.client.cert, c.s.ca.cert, at(now))
			expect(t, result, err, evidence.Good, nil)
			assert.Empty(t, survivors(t, bothWays(t), der, c.s.client.cert, c.s.ca.cert, 0, len(der)))
		})
	}
}

// Every single byte of a delta: never Good or Revoked with it, neither applied to its list nor
// instead of one.
func TestCRL_WithDelta_NoChangedByteStaysGood(t *testing.T) {
	s := newScene(t)
	base := parse(t, s.ca, encode(t, s.list(entryFor(s.client, hold))))
	onDelta := func(der []byte, cert, issuer *x509.Certificate, o evidence.VerifyOptions) (evidence.Result, error) {
		if list, err := evidence.ParseCRL(der, issuer, o); err == nil {
			return list.Lookup(cert, o)
		}
		list, err := base.WithDelta(der, issuer, o)
		if err != nil {
			return evidence.Result{}, err
		}
		return list.Lookup(cert, o)
	}
	for name, c := range map[string]struct {
		entry  ocsptest.Entry
		status evidence.Status
	}{"that lifts a hold": {entryFor(s.client, remove), evidence.Good}, "that revokes": {entryFor(s.client, compromise), evidence.Revoked}} {
		t.Run(name, func(t *testing.T) {
			der := encode(t, s.delta(7, 8, c.entry))
			result, err := onDelta(der, s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, c.status, nil)
			assert.Empty(t, survivors(t, onDelta, der, s.client.cert, s.ca.cert, 0, len(der)))
			for n := range der {
				merged, err := base.WithDelta(der[:n], s.ca.cert, at(now))
				require.ErrorIs(t, err, evidence.ErrMalformed, "%d bytes", n)
				require.Nil(t, merged)
			}
		})
	}
}

// Every prefix of good evidence is malformed, and so is the evidence with an extra byte.
func TestVerify_NoPrefixIsGood(t *testing.T) {
	s := newScene(t)
	for name, c := range map[string]struct {
		verify verifier
		der    []byte
	}{"OCSP": {evidence.VerifyOCSP, encode(t, s.by(s.delegate(t)))}, "CRL": {bothWays(t), encode(t, s.list())}} {
		for n := range c.der {
			result, err := c.verify(c.der[:n], s.client.cert, s.ca.cert, at(now))
			require.ErrorIs(t, err, evidence.ErrMalformed, "%s, %d bytes", name, n)
			require.Equal(t, evidence.Result{}, result)
		}
	}
}
