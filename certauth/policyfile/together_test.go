package policyfile_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// pinned is a document with a case that accepts A, and with a pin in a separate file.
const pinned = `{
  "source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"certificates": {"pemFile": "pin.pem"}},
  "cases": [{"name": "A comes in", "certificate": {"pemFile": "client-a.pem"}, "at": "now", "expect": "accepted"}]
}`

// finding P3: a document came into use with a certificate that its cases had not seen, because the
// file was replaced between two reads.
func TestReload_WhatComesIntoUseIsWhatTheCasesJudged(t *testing.T) {
	f := newFolder(t)
	f.write("pin.pem", string(f.clientA.PEM()))
	path := f.write("policy.json", pinned)
	var atCases func()
	auth := open(t, path, certauth.Config{Now: func() time.Time {
		if act := atCases; act != nil {
			atCases = nil
			act()
		}
		return time.Now()
	}})
	status := func() []int {
		a, _ := call(auth, http.NotFoundHandler(), "X-Client-Cert", f.clientA.Base64())
		b, _ := call(auth, http.NotFoundHandler(), "X-Client-Cert", f.clientB.Base64())
		return []int{a, b}
	}
	require.Equal(t, []int{404, 401}, status())

	f.write("policy.json", pinned+"\n")
	f.write("pin.pem", string(f.clientB.PEM()))
	atCases = func() { f.write("pin.pem", string(f.clientA.PEM())) }
	require.NoError(t, auth.Reload(t.Context()))
	require.Nil(t, atCases)
	assert.Equal(t, []int{404, 401}, status(), "B must be refused, and A accepted")

	// If the files keep changing, the last good document stays.
	f.write("policy.json", pinned+"\n\n")
	changes := 0
	var change func()
	change = func() {
		changes++
		f.write("pin.pem", string(f.clientA.PEM())+strings.Repeat("\n", changes))
		atCases = change
	}
	atCases = change
	err := auth.Reload(t.Context())
	atCases = nil
	require.ErrorContains(t, err, "changes each time while it is read")
	assert.Less(t, changes, 50)
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []int{404, 401}, status())
}

// finding P4: a change of a certificate that only the cases present was not noticed.
func TestReload_FollowsTheCertificatesOfCases(t *testing.T) {
	f := newFolder(t)
	f.write("pin.pem", string(f.clientA.PEM()))
	auth := open(t, f.write("policy.json", pinned), certauth.Config{})
	f.write("client-a.pem", string(f.clientB.PEM()))
	require.ErrorContains(t, auth.Reload(t.Context()), `case "A comes in": expected accepted, got pin_mismatch`)
	f.write("client-a.pem", string(f.clientA.PEM()))
	require.NoError(t, auth.Reload(t.Context()))
}

// finding P10, for certificates that are read with the document, and for files with other contents.
func TestReload_CertificatesOfNoUseKeepTheDocument(t *testing.T) {
	for name, row := range map[string]struct {
		plant func(f *folder) error
		want  string
	}{
		"a merge conflict": {func(f *folder) error {
			f.write("pins/b.pem", "<<<<<<<\n"+string(f.clientA.PEM())+"=======\n"+string(f.clientB.PEM())+">>>>>>>>>\n")
			return nil
		}, "merge conflict"},
		"a key": {func(f *folder) error {
			f.write("pins/b.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
			return nil
		}, `a PEM block "PRIVATE KEY", want CERTIFICATE`},
		"an empty file":   {func(f *folder) error { f.write("pins/b.pem", ""); return nil }, "no certificate in PEM"},
		"a half file":     {func(f *folder) error { f.write("pins/b.pem", string(f.clientB.PEM()[:200])); return nil }, "a missing end"},
		"a mark in front": {func(f *folder) error { f.write("pins/b.pem", "\ufeff"+string(f.clientB.PEM())); return nil }, "a damaged PEM block; look for a byte order mark"},
		"finding P33: UTF-16": {func(f *folder) error {
			f.write("pins/b.pem", "\xff\xfe"+strings.Join(strings.Split(string(f.clientB.PEM()), ""), "\x00")+"\x00")
			return nil
		}, "this is UTF-16"},
		"no DER":             {func(f *folder) error { f.write("pins/b.der", "\x30\x82"); return nil }, "DER that is not exactly one certificate"},
		"a link to nothing":  {func(f *folder) error { return os.Symlink("gone", filepath.Join(f.dir, "pins", "b.pem")) }, "no such file"},
		"a link to a folder": {func(f *folder) error { return os.Symlink(f.dir, filepath.Join(f.dir, "pins", "b.pem")) }, "not a regular file"},
		"nothing at all":     {func(f *folder) error { return os.Remove(filepath.Join(f.dir, "pins", "a.pem")) }, "no certificate"},
		"no folder":          {func(f *folder) error { return os.RemoveAll(filepath.Join(f.dir, "pins")) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			require.NoError(t, os.Mkdir(filepath.Join(f.dir, "pins"), 0o700))
			f.write("pins/a.pem", string(f.clientA.PEM()))
			auth := open(t, f.write("policy.json", strings.Replace(pinned, `{"pemFile": "pin.pem"}`, `{"certDir": "pins"}`, 1)), certauth.Config{})
			if err := row.plant(f); err != nil {
				t.Skip(err) // symbolic links, which not every user may create
			}
			require.ErrorContains(t, auth.Reload(t.Context()), row.want)
			for client, want := range map[*certauthtest.Certificate]int{f.clientA: 404, f.clientB: 401} {
				status, _ := call(auth, http.NotFoundHandler(), "X-Client-Cert", client.Base64())
				assert.Equal(t, want, status)
			}
		})
	}
}

// finding P8: a root that changed while cases ran at different times was reloaded at the same time,
// using a clock that was being set: a data race.
func TestRunCases_WhileRootsChange(t *testing.T) {
	f := newFolder(t)
	var cases []string
	for i := range 400 {
		at, expect := "now", "accepted"
		if i%2 == 0 {
			at, expect = "2099-01-01T00:00:00Z", "certificate_expired"
		}
		cases = append(cases, fmt.Sprintf(`{"name": "%d", "certificate": {"pemFile": "client-a.pem"}, "at": %q, "expect": %q}`, i, at, expect))
	}
	doc, err := policyfile.Load(f.write("policy.json", `{
  "source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Client-Cert", "format": "base64DER"}},
  "policy": {"chain": {"roots": {"pemFile": "a.pem"}}}, "cases": [`+strings.Join(cases, ",")+`]}`), certauth.Config{})
	require.NoError(t, err)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				f.write("a.pem", string(f.a.PEM())+strings.Repeat("\n", i%3))
			}
		}
	})
	for range 3 {
		results, err := doc.RunCases(t.Context())
		require.NoError(t, err)
		for _, result := range results {
			assert.Empty(t, result.Failure)
		}
	}
	close(stop)
	group.Wait()
	require.NoError(t, doc.Close())
}
