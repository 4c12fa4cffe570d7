package policyfile_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// finding O70: a file of certificates was read and parsed again for each case that names it, several times for each
// load, so that no service started with a few hundred cases and one long file.
func TestCases_AFileIsReadOnceHoweverManyNameIt(t *testing.T) {
	f := newFolder(t)
	const size, cases = 1 << 20, 100
	f.write("many.pem", strings.Repeat(string(f.clientA.PEM()), size/len(f.clientA.PEM())))
	var list []string
	for i := range cases {
		list = append(list, fmt.Sprintf(`{"name": "%d", "certificate": {"pemFile": "many.pem"}, "at": "now", "expect": "certificate_malformed"}`, i))
	}
	path := f.write("policy.json", `{"source": {"appService": {}}, "policy": {"chain": {"roots": {"pemFile": "a.pem"}}}, "cases": [`+strings.Join(list, ",")+`]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	auth, err := policyfile.Open(path, certauth.Config{})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.NoError(t, auth.Close())
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(cases*size), "bytes that were allocated, of which reading takes several times the size of the file")
}
