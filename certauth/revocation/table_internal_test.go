package revocation

import (
	"crypto/x509"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newTestRecord returns a record of a certificate with these contents.
func newTestRecord(by *partner, tbs string) (*record, *x509.Certificate) {
	of := &authority{}
	of.issuer.Store(by.anchor)
	r := &record{authority: of, partner: by, tbs: []byte(tbs), revoked: &atomic.Pointer[Result]{}}
	r.state.Store(&state{})
	return r, &x509.Certificate{RawTBSCertificate: r.tbs}
}

// Whatever comes and goes, the table holds no more than it may, finds all that it holds, and knows how much of
// it is of which partner.
func TestTable_FindsWhatItHolds(t *testing.T) {
	const most = 10
	all := newTable(most)
	one := &partner{anchor: &x509.Certificate{RawSubject: []byte("one")}}
	other := &partner{anchor: &x509.Certificate{RawSubject: []byte("other")}}
	for n := range 20 * most {
		by := one
		if n%3 == 0 {
			by = other
		}
		fresh, cert := newTestRecord(by, fmt.Sprint(n))
		require.Same(t, fresh, all.add(fresh, cert, by.anchor))
		again, _ := newTestRecord(by, fmt.Sprint(n))
		require.Same(t, fresh, all.add(again, cert, by.anchor), "a second record of the same certificate")

		held := all.all()
		require.Len(t, held, min(n+1, most))
		require.LessOrEqual(t, len(all.records), most)
		shares := map[*partner]int64{}
		for at, r := range held {
			require.NotContains(t, held[at+1:], r)
			require.Equal(t, at, r.at)
			require.True(t, slices.Contains(all.records[r.hash], r))
			var found [1]judgement
			all.find([]*x509.Certificate{{RawTBSCertificate: r.tbs}, r.partner.anchor}, found[:])
			require.Same(t, r, found[0].record)
			shares[r.partner]++
		}
		for _, by := range []*partner{one, other} {
			require.Equal(t, shares[by], by.records.Load())
		}
	}
}

// Revocations stay, unless they are most of what is there: then the one that was unused for longest goes.
func TestTable_RevocationsStayUnlessTheyAreMost(t *testing.T) {
	for revoked, goes := range map[int]bool{1: false, 4: false, 5: true, 8: true} {
		t.Run(fmt.Sprintf("%d of 8", revoked), func(t *testing.T) {
			all, by := newTable(8), &partner{anchor: &x509.Certificate{RawSubject: []byte("CA")}}
			var records []*record
			for n := range 8 {
				r, cert := newTestRecord(by, fmt.Sprint(n))
				if n < revoked {
					r.state.Store(&state{knowledge: knowledge{revoked: &Result{Status: Revoked}}})
				}
				records = append(records, all.add(r, cert, by.anchor))
				r.used.Store(int64(n + 1)) // those that are revoked were unused for longest
			}
			r, cert := newTestRecord(by, "another")
			all.add(r, cert, by.anchor)
			gone := slices.DeleteFunc(records, func(r *record) bool { return slices.Contains(all.all(), r) })
			require.Len(t, gone, 1)
			assert.Equal(t, goes, gone[0].state.Load().holdsRevocation())
		})
	}
}
