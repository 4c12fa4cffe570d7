package revocation_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K103: a CA that divides its list by distribution points has hundreds of lists, and a directory
// may have 4096. Twice as many lists may take little more than twice the work, here counted in
// allocations, for the view that requests see, which Ready makes, too.
func TestChecker_TwiceAsManyListsOfOneCAAreTwiceTheWork(t *testing.T) {
	for _, deltas := range []bool{false, true} {
		work := func(shards int) float64 {
			w, dir := wire(t), t.TempDir()
			for i := range shards {
				point := ocsptest.IssuingPoint(uri(fmt.Sprintf("http://crl.example/%d.crl", i)))
				base, delta := w.list(), w.numberedDelta(7, 8, now.Add(-time.Minute), now.Add(day))
				base.Extensions, delta.Extensions = append(base.Extensions, point), append(delta.Extensions, point)
				write(t, filepath.Join(dir, fmt.Sprint(i, ".crl")), encode(t, base))
				if deltas {
					write(t, filepath.Join(dir, fmt.Sprint(i, "+.crl")), encode(t, delta))
				}
			}
			checker := w.operated(t, revocation.List{Dir: dir})
			require.NoError(t, checker.Preload(t.Context()))
			return testing.AllocsPerRun(3, func() { assert.NoError(t, checker.Ready()) })
		}
		few, many := work(40), work(80)
		if deltas { // which list each delta continues is found out by trying
			assert.Less(t, many, 5*few)
		} else {
			assert.Less(t, many, 3*few)
		}
	}
}

// finding K108: the errors of lists that cannot be read were joined one by one. The text of such a join of
// joins takes time that grows with the square of their number, and each refusal formats it.
func TestChecker_TheErrorsOfManyListsAreJoinedOnce(t *testing.T) {
	var files []revocation.List
	dir := t.TempDir()
	for i := range 100 {
		files = append(files, revocation.List{File: filepath.Join(dir, fmt.Sprint(i, ".crl"))})
		write(t, files[i].File, nil)
	}
	for name, lists := range map[string][]revocation.List{"a directory": {{Dir: dir}}, "files": files} {
		err := wire(t).operated(t, revocation.List{}, func(c *revocation.Config) { c.Lists = lists }).Preload(t.Context())
		require.ErrorIs(t, err, revocation.ErrMalformed)
		assert.Less(t, depth(err), 10, name)
	}
}

// depth returns how many errors wrap one another.
func depth(err error) int {
	switch err := err.(type) { //nolint:errorlint // the tree itself
	case interface{ Unwrap() error }:
		return 1 + depth(err.Unwrap())
	case interface{ Unwrap() []error }:
		deepest := 0
		for _, one := range err.Unwrap() {
			deepest = max(deepest, depth(one))
		}
		return 1 + deepest
	}
	return 0
}

// While one of the lists has never been read, each request, and at each list that arrives each request that
// waits, looks for one that covers the certificate.
func TestChecker_WhileAListIsUnreadARequestSkipsTheListsOfOthers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const shards = 100
		w, dir := wire(t, noPoints, point(uri(shardA))), t.TempDir()
		for i := range shards {
			write(t, filepath.Join(dir, fmt.Sprint(i, ".crl")), encode(t, w.withPoint(uri(fmt.Sprintf("http://crl.example/%d.crl", i)))))
		}
		write(t, filepath.Join(dir, "ours.crl"), encode(t, w.withPoint(uri(shardA))))
		w.net.serve(crlURL, hanging)
		checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Lists = append(c.Lists, revocation.List{URL: crlURL}) })
		ask := func() {
			_, err := w.check(t, checker)
			assert.NoError(t, err)
		}
		ask()
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
		assert.Less(t, testing.AllocsPerRun(20, ask), float64(2*shards))
	})
}

// To see that a list is for other certificates takes no allocation, so that it is cheap to find the one
// of many lists that is for a certificate.
func TestCovers_ToLeaveAListOutAllocatesNothing(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	who, err := evidence.NewSubject(s.client.cert)
	require.NoError(t, err)
	other, err := evidence.ParseCRL(encode(t, s.withPoint(uri(shardB))), s.ca.cert, at(now))
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(10, func() { err = other.Covers(&who) }))
	assert.ErrorIs(t, err, revocation.ErrCRLScope)
}
