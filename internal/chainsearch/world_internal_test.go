package chainsearch

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is a few CAs that certify one another at random, most of them incorrectly.
type world struct {
	*mathrand.Rand
	tb     testing.TB
	keys   []crypto.Signer
	now    time.Time
	cas    []*issuer
	roots  int // of them
	serial int64
	calm   bool // few things are odd
}

// issuer is a CA certificate with its key.
type issuer struct {
	*x509.Certificate
	key crypto.Signer
}

// signers returns ten keys, of which the first are RSA keys. The last ones are for leaves and
// forgers.
func signers(tb testing.TB, withRSA int) []crypto.Signer {
	tb.Helper()
	var keys []crypto.Signer
	for i := range 10 {
		var key crypto.Signer
		var err error
		if i < withRSA {
			key, err = rsa.GenerateKey(rand.Reader, 2048)
		} else {
			key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		require.NoError(tb, err)
		keys = append(keys, key)
	}
	return keys
}

func newWorld(tb testing.TB, seed, number uint64, keys []crypto.Signer) *world {
	tb.Helper()
	w := &world{Rand: mathrand.New(mathrand.NewPCG(seed, number)), tb: tb, keys: keys, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.calm = !w.one(3)
	w.roots = 1 + w.IntN(2)
	for i := range w.roots {
		w.cas = append(w.cas, w.ca(nil, i))
	}
	for i := range 1 + w.IntN(5) {
		w.cas = append(w.cas, w.ca(w.parent(), 2+i))
	}
	return w
}

func (w *world) one(in int) bool { return w.IntN(in) == 0 }

// odd returns a random number, of which the low ones select something unusual. They are more
// frequent in a world that is not calm.
func (w *world) odd(in int) int {
	if w.calm {
		in *= 6
	}
	return w.IntN(in)
}

// parent returns any CA, most often the last, so that chains become long.
func (w *world) parent() *issuer {
	if w.one(4) {
		return w.cas[w.IntN(len(w.cas))]
	}
	return w.cas[len(w.cas)-1]
}

// ca makes a CA certificate; without a parent it is self-signed. It may have the name, or the name
// and the key, of another: a CA with a new key, or one that two CAs have certified.
func (w *world) ca(parent *issuer, at int) *issuer {
	made := &issuer{key: w.keys[at]}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA " + string(rune('A'+at))}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, MaxPathLen: -1,
	}
	switch w.odd(12) {
	case 0:
		template.MaxPathLen, template.MaxPathLenZero = 0, true
	case 1:
		template.MaxPathLen = 1
	}
	switch w.odd(16) {
	case 0:
		template.KeyUsage = x509.KeyUsageCRLSign
	case 1:
		template.KeyUsage = 0
	}
	switch w.odd(12) {
	case 0:
		template.PermittedDNSDomains, template.PermittedDNSDomainsCritical = []string{"partner.example"}, w.one(2)
	case 1:
		template.ExcludedDNSDomains = []string{"orders.partner.example"}
	}
	if len(w.cas) > 0 && w.odd(5) == 0 {
		other := w.cas[w.IntN(len(w.cas))]
		template.RawSubject = other.RawSubject
		if w.one(2) {
			made.key = other.key
		}
	}
	if parent == nil {
		parent = &issuer{key: made.key}
	}
	made.Certificate = w.issue(template, parent, made.key.Public())
	return made
}

// leaf makes a client certificate. A few have the key or the name of a CA.
func (w *world) leaf() *x509.Certificate {
	defer func(calm bool) { w.calm = calm }(w.calm)
	w.calm = w.one(3)
	key := w.keys[9]
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "client"}}
	if !w.one(3) {
		template.DNSNames = []string{[]string{"orders.partner.example", "other.example"}[w.IntN(2)]}
	}
	other := w.cas[w.IntN(len(w.cas))]
	kind := w.odd(16)
	if kind == 0 || kind == 1 {
		key = other.key
	}
	if kind == 1 || kind == 2 {
		template.RawSubject = other.RawSubject
	}
	if w.odd(20) == 0 {
		template.IsCA, template.BasicConstraintsValid = true, true
	}
	return w.issue(template, w.parent(), key.Public())
}

// issue adds what leaves and CAs may both have and signs, occasionally with another key.
func (w *world) issue(template *x509.Certificate, by *issuer, public crypto.PublicKey) *x509.Certificate {
	w.serial++
	template.SerialNumber = big.NewInt(w.serial)
	template.NotBefore, template.NotAfter = w.now.AddDate(-1, 0, 0), w.now.AddDate(1, 0, 0)
	switch w.odd(20) {
	case 0:
		template.NotAfter = w.now.Add(-time.Minute)
	case 1:
		template.NotBefore = w.now.Add(time.Minute)
	case 2:
		template.NotAfter = w.now.AddDate(0, -1, 0)
	}
	client, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	usages := [][]x509.ExtKeyUsage{{server}, {x509.ExtKeyUsageCodeSigning}, {x509.ExtKeyUsageAny}, {client, server}, {client}, nil, nil, nil, nil, nil}
	template.ExtKeyUsage = usages[min(w.odd(len(usages)), len(usages)-1)]
	if w.one(3) {
		for _, policy := range [][]uint64{{1, 2, 3, 4}, {1, 2, 3, 5}, {2, 5, 29, 32, 0}} {
			if w.one(2) {
				id, err := x509.OIDFromInts(policy)
				require.NoError(w.tb, err)
				template.Policies = append(template.Policies, id)
			}
		}
	}
	add := func(value string, id ...int) {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier(id), Critical: w.one(2), Value: []byte(value)})
	}
	switch w.odd(40) {
	case 0:
		add("\x30\x03\x80\x01\x00", 2, 5, 29, 36) // requireExplicitPolicy 0
	case 1:
		add("\x30\x03\x80\x01\x01", 2, 5, 29, 36) // requireExplicitPolicy 1
	case 2:
		add("\x30\x0c\x30\x0a\x06\x03\x2a\x03\x04\x06\x03\x2a\x03\x05", 2, 5, 29, 33) // 1.2.3.4 is 1.2.3.5
	case 3:
		add("\x30\x0d\x30\x0b\x06\x03\x2a\x03\x04\x06\x04\x55\x1d\x20\x00", 2, 5, 29, 33) // 1.2.3.4 is any
	case 4:
		add("\x02\x01\x00", 2, 5, 29, 54) // inhibitAnyPolicy
	case 5:
		add("\x05\x00", 1, 3, 6, 1, 4, 1, 99999, 1)
	}
	parent := &x509.Certificate{RawSubject: template.RawSubject, Subject: template.Subject, PublicKey: by.key.Public()}
	if by.Certificate != nil {
		parent.RawSubject, parent.SubjectKeyId = by.RawSubject, by.SubjectKeyId
		switch w.odd(12) {
		case 0:
			parent.SubjectKeyId = nil
		case 1:
			parent.SubjectKeyId = []byte("another")
		}
	}
	signer := by.key
	if w.odd(10) == 0 {
		signer = w.keys[w.IntN(len(w.keys))]
		parent.PublicKey = signer.Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	require.NoError(w.tb, err)
	made, err := x509.ParseCertificate(der)
	require.NoError(w.tb, err)
	return made
}

// subset returns about two thirds of them.
func (w *world) subset(cas []*issuer) []*x509.Certificate {
	var some []*x509.Certificate
	for _, ca := range cas {
		if w.odd(3) > 0 {
			some = append(some, ca.Certificate)
		}
	}
	return some
}

// poolOf returns a new pool of CAs.
func (w *world) poolOf(certs []*x509.Certificate) *Pool {
	if len(certs) == 0 {
		return &Pool{}
	}
	return newPool(w.tb, certs...)
}

// settings returns those of a Chain, mostly the usual ones.
func (w *world) settings() Settings {
	s := Settings{MaxDepth: 6 - w.odd(6)%6}
	if w.one(4) {
		s.Skew = time.Duration(1+w.IntN(3)) * time.Minute
	}
	if w.one(4) {
		s.ServerAuth = true
	}
	switch w.odd(8) {
	case 0:
		s.Policies = "1.2.3.4"
	case 1:
		s.Policies = AnyPolicy
	}
	return s
}
