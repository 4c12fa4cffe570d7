package certauth_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// reasonsOfThePackage reads the constants from the source, so that a new one is tested without
// being added here.
func reasonsOfThePackage(t *testing.T) []certauth.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	require.NoError(t, err)
	var reasons []certauth.Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		require.True(t, ok)
		value, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		if value != "" {
			reasons = append(reasons, certauth.Reason(value))
		}
		return true
	})
	return reasons
}

func TestNew_ReportsEveryMistakeAtOnceWithItsPath(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "roots.pem")
	_, err := certauth.New(certauth.Config{
		Policy: certauth.All{
			certauth.Chain{Roots: certauth.PEMFile(missing), MaxDepth: -1},
			certauth.Any{
				certauth.PublicKeys{"d38ab1d3ce33fcb3a2d4e7fdb1c6d8b4a8f3f6a1"},
				nil,
			},
			certauth.DNSNames{"*"},
			certauth.Not{Policy: certauth.Thumbprints{pinOfNobody}},
		},
		Challenge:      "two\nlines",
		ReloadInterval: time.Nanosecond,
		Exclusions:     []certauth.Exclusion{{Path: "health"}},
	})
	require.Error(t, err)
	text := err.Error()
	for _, want := range []string{
		"certauth: 12 mistakes in Config:",
		"Source: nil; set the source of the front end that forwards the certificate",
		"Challenge: ",
		"ReloadInterval: 1ns, want at least 10ms",
		"Policy.All[0].Chain.Roots: ",
		"Policy.All[0].Chain.MaxDepth: -1",
		"Policy.All[1].Any[0].PublicKeys[0]: 20 bytes, want 32",
		"Policy.All[1].Any[1]: nil policy",
		`Policy.All[2].DNSNames[0]: "*": `,
		"Policy.All[3].Not.Thumbprints: not allowed under Not",
		`Exclusions[0].Path: "health" does not start with a slash`,
		"Exclusions[0].Reason: empty",
		"Exclusions[0].Control: empty",
	} {
		assert.Contains(t, text, want)
	}
	require.ErrorIs(t, err, os.ErrNotExist, "causes stay reachable")
}

func TestNew_ZeroConfigIsRefused(t *testing.T) {
	auth, err := certauth.New(certauth.Config{})
	assert.Nil(t, auth)
	require.ErrorContains(t, err, "2 mistakes in Config")
	require.ErrorContains(t, err, "Source: nil")
	require.ErrorContains(t, err, "Policy: nil; set the policy that every caller must satisfy")
}

func TestNew_CertificateMaterialThatCannotBeUsedIsAnError(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	for _, tc := range []struct {
		name  string
		roots certauth.CertSource
		want  string
	}{
		{"nil", nil, "nil; name the CAs you trust"},
		{"no PEM", certauth.PEM(nil), "no certificate"},
		{"no certificates", certauth.Certificates(), "no certificate"},
		{"a nil certificate", certauth.Certificates(nil), "certificate 0 is nil"},
		{"a nil function", certauth.CertFunc(nil), "nil"},
		{"a file that is not there", certauth.PEMFile(filepath.Join(folder, "gone")), "no such file"},
		{"an empty file", certauth.PEMFile(write("empty", "")), "no certificate"},
		{"a folder", certauth.PEMFile(folder), "not a regular file"},
		{"text", certauth.PEMFile(write("text", "hello")), "no certificate"},
		{"a key", certauth.PEM("-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n"), `a "PRIVATE KEY", want CERTIFICATE`},
		{"no path", certauth.PEMFile(""), "PEMFile: empty file name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: tc.roots}})
			require.ErrorContains(t, err, "Policy.Chain.Roots: ")
			assert.ErrorContains(t, err, tc.want)
		})
	}
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{
		Roots: certauth.InsecureSystemRoots(), Intermediates: certauth.InsecureSystemRoots(),
	}})
	assert.ErrorContains(t, err, "Policy.Chain.Intermediates: the system's roots can only be the Roots of a Chain")
}

func TestNew_StringPrintsTheWholePolicy(t *testing.T) {
	t.Setenv("PARTNER_PINS", pinOfNobody)
	auth := must(t, certauth.Config{
		Source:   fixedSource("partner"),
		Optional: true,
		Policy: certauth.Any{
			certauth.Named{Name: "pinned", Policy: certauth.ThumbprintsFrom(certauth.Env("PARTNER_PINS"))},
			certauth.All{
				certauth.Validity{ClockSkew: time.Minute, MaxLifetime: 48 * time.Hour, MinRemaining: time.Hour},
				certauth.Chain{Roots: certauth.InsecureSystemRoots(), StrictEKU: true, MaxDepth: 2},
				certauth.DNSNames{"*.partner.example"},
				certauth.Not{Policy: certauth.OrganizationalUnits{"Test"}},
				certauth.IPs{"10.0.0.0/8", "192.0.2.7"},
				certauth.Keys{MinRSABits: 3072, MinECBits: 384},
				certauth.Denied{PublicKeys: []string{pinOfNobody}},
				certauth.PolicyFunc{Name: "user store", Func: func(context.Context, *certauth.Identity) error { return nil }},
			},
		},
	})
	assert.Equal(t, `source: certauth.SourceFunc("partner")
mode: optional
policy:
  any of
    named "pinned"
      certificate SHA-256 from environment variable "PARTNER_PINS" is one of 1
    all of
      validity: clock skew 1m0s, issued for at most 48h0m0s, at least 1h0m0s remaining
      chain (at most 2 CA certificates, clientAuth required, clock skew 1m0s)
        roots: every CA of the operating system (insecure)
      DNS name is one of "*.partner.example"
      not
        OrganizationalUnits: one of "Test"
      IP address is within 10.0.0.0/8, 192.0.2.7/32
      keys: RSA from 3072 bits, ECDSA curves from 384 bits
      not one of 0 denied serials and 1 denied keys
      function "user store"
`, auth.String())
}

// finding S6: New accepted a cache of any size. The largest refused every caller once the first
// certificate was accepted, and others used all memory.
func TestNew_CacheSizeIsBounded(t *testing.T) {
	const most = 1 << 20
	leaf := certauthtest.SelfSigned(t, "client").Certificate
	for size, want := range map[int]bool{math.MinInt: true, -1: true, 0: true, 1: true, most: true, most + 1: false, 1e9: false, math.MaxInt: false} {
		auth, err := certauth.New(certauth.Config{Source: fixedSource("s", leaf), Policy: certauth.Certificates(leaf), CacheSize: size})
		if !want {
			require.ErrorContains(t, err, fmt.Sprintf("CacheSize: %d, want at most %d, or 0 for %d", size, most, 4096))
			continue
		}
		require.NoError(t, err)
		for range 3 {
			_, err = auth.Check(request())
			require.NoError(t, err, "size %d", size)
		}
	}
}

// finding R4: New accepted the names of headers that can never arrive.
func TestNew_HeadersThatNeverArriveAreMistakes(t *testing.T) {
	for _, name := range []string{
		"Host", "host", "Transfer-Encoding", "transfer_encoding", "Trailer", "Content-Length", "Connection", "Proxy-Connection", "Keep-Alive", "TE", "Upgrade",
		"HTTP2-Settings", "Proxy-Authorization", "Proxy-Authenticate", "Expect", ":authority", ":path", "X Y", "", strings.Repeat("x", 64),
	} {
		_, err := certauth.New(certauth.Config{Source: namedHeaders{"X-Client-Cert", name, "Host"}, Policy: certauth.Thumbprints{pinOfNobody}})
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), "certauth: 2 mistakes in Config:\nSource: header ", name)
		_, err = certauth.New(certauth.Config{Source: namedHeaders{"X-A-B-C-D", name}, Policy: certauth.Thumbprints{pinOfNobody}}) // of many spellings
		require.ErrorContains(t, err, "Source: header ", name)
	}
}

// finding R4: an Exclusion accepted methods that no request has, such as a pattern or a router's
// name for all methods, and never applied.
func TestNew_ExclusionMethodsThatNeverComeAreMistakes(t *testing.T) {
	for method, want := range map[string]bool{
		"": true, "GET": true, "HEAD": true, "OPTIONS": true, "PROPFIND": true, "M-SEARCH": true, "VERSION-CONTROL": true,
		"*": false, "GET,HEAD": false, "GET HEAD": false, "GET|HEAD": false, "G*": false, "get": false, "Get": false, "ANY": false, "ALL": false, "PRI": false,
		"CONNECT": false, "-": false, "-GET": false, "GET-": false, " GET": false, "GET\n": false, "!": false, "200": false, "G.T": false, "_": false,
	} {
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody},
			Exclusions: []certauth.Exclusion{{Method: method, Path: "/health", Reason: "r", Control: "c"}},
		})
		if want {
			assert.NoError(t, err, method)
			continue
		}
		assert.Nil(t, auth)
		assert.ErrorContains(t, err, "Exclusions[0].Method: ", method)
	}
}

func TestNew_FunctionThatHangsIsAMistakeNotAHang(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		deaf := certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { <-hang; return nil, nil })
		start := time.Now()
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: deaf}})
		require.ErrorContains(t, err, "Policy.Chain.Roots: no answer in time")
		assert.Equal(t, 30*time.Second, time.Since(start))
		close(hang)
	})
}
