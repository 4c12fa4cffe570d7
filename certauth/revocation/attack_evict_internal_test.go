package revocation

import (
	"crypto/x509"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Records of one certificate for several partners have one hash. A revocation is kept wherever among those
// it is.
func TestAttack_ANeighbourEvictsNoRevocation(t *testing.T) {
	for range 50 {
		by := &partner{}
		bucketHead, behind := &record{partner: by}, &record{partner: by}
		elsewhere := &record{partner: by}
		bucketHead.state.Store(&state{})
		elsewhere.state.Store(&state{})
		behind.state.Store(&state{knowledge: knowledge{ocsp: &Result{Status: Revoked}}})
		behind.used.Store(100)
		s := &table{count: 3, records: map[uint64][]*record{1: {bucketHead, behind}, 2: {elsewhere}}}
		elsewhere.used.Store(50)
		s.evict()
		assert.Equal(t, []*record{behind}, s.records[1])
		assert.Equal(t, 2, s.count)
	}
}

// finding K194: the hash of a certificate depended on its first 64 bytes only, so that a CA could give all of
// its certificates one hash. Only one of them was then considered when a record had to go, as if its partner
// had hardly any, and those of others went.
func TestAttack_CertificatesThatBeginAlikeDisplaceNoOthers(t *testing.T) {
	const most, honest = 2000, 500
	all := newTable(most)
	add := func(by *x509.Certificate, p *partner, tbs string) *x509.Certificate {
		of := &authority{}
		of.issuer.Store(by)
		fresh := &record{authority: of, partner: p, tbs: []byte(tbs), revoked: &atomic.Pointer[Result]{}}
		fresh.state.Store(&state{})
		cert := &x509.Certificate{RawTBSCertificate: fresh.tbs}
		all.add(fresh, cert, by, time.Unix(0, 0))
		return cert
	}
	own, other := &x509.Certificate{RawSubject: []byte("honest")}, &x509.Certificate{RawSubject: []byte("hostile")}
	clients, hostile := &partner{anchor: own}, &partner{anchor: other}
	var certs []*x509.Certificate
	for i := range honest {
		certs = append(certs, add(own, clients, fmt.Sprint(i)))
	}
	for i := range 2 * most {
		add(other, hostile, strings.Repeat("alike", 100)+fmt.Sprint(i))
	}
	for _, cert := range certs {
		assert.NotNil(t, all.find(cert, own, own))
	}
	assert.Len(t, all.all(), most)
}
