package policyfile_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// finding O74: the error had no position and ended RunCases, so that one missing file hid what the other cases say.
func TestCases_AFileThatCannotBeReadIsAFailureOfItsCase(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", `{"source": {"appService": {}}, "policy": {"chain": {"roots": {"pemFile": "a.pem"}}}, "cases": [
  {"name": "gone", "certificate": {"pemFile": "gone.pem"}, "at": "now", "expect": "accepted"},
  {"name": "of B", "certificate": {"pemFile": "client-b.pem"}, "at": "now", "expect": "accepted"}]}`)
	_, err := policyfile.Open(path, certauth.Config{})
	mistakes, ok := errors.AsType[policyfile.Mistakes](err)
	require.True(t, ok, "%v", err)
	require.Len(t, mistakes, 2)
	assert.ErrorContains(t, err, `policy.json:2:3: cases[0]: case "gone": file "`)
	assert.ErrorContains(t, err, "gone.pem")
	assert.ErrorContains(t, err, `policy.json:3:3: cases[1]: case "of B": expected accepted, got chain_untrusted`)
}

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
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(5*cases*size), "bytes that were allocated; to read the file for each case takes 85 times its size")
}
