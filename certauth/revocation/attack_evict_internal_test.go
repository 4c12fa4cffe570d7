package revocation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The hash of a certificate depends on its first bytes, and any CA may copy those of another CA's
// certificate into its own. A revocation is kept wherever among those of one hash it is.
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
		s := &table{count: 3, records: map[uint64][]*record{}}
		for n, of := range []state{known, {}, {}} {
			one := &record{partner: by}
			one.state.Store(&of)
			one.used.Store(int64(n))
			s.records[uint64(n)] = []*record{one}
		}
		s.evict()
		assert.Len(t, s.records[0], 1, name)
	}
}
