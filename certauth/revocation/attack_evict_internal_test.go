package revocation

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func tableOf(records map[uint64][]*record) *table {
	all := &table{records: records}
	for hash, alike := range records {
		for _, r := range alike {
			r.hash, r.at = hash, len(all.list)
			all.list = append(all.list, r)
		}
	}
	return all
}

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
		s := tableOf(map[uint64][]*record{1: {bucketHead, behind}, 2: {elsewhere}})
		elsewhere.used.Store(50)
		s.evict()
		assert.Equal(t, []*record{behind}, s.records[1])
		assert.Len(t, s.all(), 2)
	}
}

// Whatever says that a certificate is revoked is kept, although it was not used for longest.
// finding K166: what expired evidence says was not.
func TestAttack_ACertificateInUseEvictsNoRevocation(t *testing.T) {
	revoked := &Result{Status: Revoked}
	for name, known := range map[string]state{
		"a response":        {knowledge: knowledge{ocsp: revoked}},
		"a list":            {knowledge: knowledge{revoked: revoked}},
		"a list in memory":  {verdict: verdict{result: *revoked}},
		"an expired answer": {knowledge: knowledge{against: time.Unix(1, 0)}},
		"an expired list":   {knowledge: knowledge{listed: time.Unix(1, 0)}},
	} {
		by := &partner{}
		all := map[uint64][]*record{}
		for n, of := range []state{known, {}, {}} {
			one := &record{partner: by}
			one.state.Store(&of)
			one.used.Store(int64(n))
			all[uint64(n)] = []*record{one}
		}
		s := tableOf(all)
		s.evict()
		assert.Len(t, s.records[0], 1, name)
	}
}

// finding K194: a CA can give all of its certificates one hash. Only one of them was then considered when a
// record had to go, as if its partner had hardly any, and those of others went.
//
// finding K196: the records considered were neighbours in a map, and those of one partner came to be neighbours
// there because those between them went, so that a fifth of them was lost to a partner that had more.
func TestAttack_ManyCertificatesDisplaceNoneOfOthers(t *testing.T) {
	for name, beginning := range map[string]string{"K194: that begin alike": strings.Repeat("alike", 100), "K196: of any form": ""} {
		t.Run(name, func(t *testing.T) {
			const most, honest = 2000, 500
			all := newTable(most)
			add := func(by *x509.Certificate, p *partner, tbs string) *x509.Certificate {
				of := &authority{}
				of.issuer.Store(by)
				fresh := &record{authority: of, partner: p, tbs: []byte(tbs), revoked: &atomic.Pointer[Result]{}}
				fresh.state.Store(&state{})
				cert := &x509.Certificate{RawTBSCertificate: fresh.tbs}
				all.add(fresh, cert, by)
				return cert
			}
			own, other := &x509.Certificate{RawSubject: []byte("honest")}, &x509.Certificate{RawSubject: []byte("hostile")}
			clients, hostile := &partner{anchor: own}, &partner{anchor: other}
			var certs []*x509.Certificate
			for i := range honest {
				certs = append(certs, add(own, clients, fmt.Sprint("client ", i)))
			}
			for i := range 10 * most {
				add(other, hostile, beginning+fmt.Sprint(i))
			}
			kept := slices.DeleteFunc(certs, func(cert *x509.Certificate) bool {
				var found [1]judgement
				all.find([]*x509.Certificate{cert, own}, found[:])
				return found[0].record == nil
			})
			assert.Greater(t, len(kept), honest*95/100) // not all, since eight records are considered, which may all be of one partner
			assert.Len(t, all.all(), most)
		})
	}
}
