package revocation

import (
	"testing"

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
