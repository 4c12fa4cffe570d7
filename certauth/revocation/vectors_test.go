package revocation_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/vector"
)

const revocationVectors = "../../testdata/revocation"

// vectorFaults are the words of the key "fault", so that evidence is refused because of the
// intended fault and not because of a mistake in its construction.
var vectorFaults = map[string]error{
	"algorithm":  evidence.ErrWeakAlgorithm,
	"delegate":   evidence.ErrDelegateRevocation,
	"extension":  evidence.ErrCriticalExtension,
	"form":       evidence.ErrMalformed,
	"fresh":      evidence.ErrNotFresh,
	"incomplete": evidence.ErrCRLIncomplete,
	"indirect":   evidence.ErrIndirectCRL,
	"issuer":     evidence.ErrCRLIssuer,
	"match":      evidence.ErrNoMatch,
	"produced":   evidence.ErrProducedAt,
	"refused":    evidence.ErrResponderStatus,
	"responder":  evidence.ErrResponderNotAuthorized,
	"scope":      evidence.ErrCRLScope,
	"signature":  evidence.ErrBadSignature,
	"signer":     evidence.ErrNoSigner,
	"source":     revocation.ErrNoSource,
}

// Lists and answers as CAs and responders publish them, with the expected outcome for a client. The
// files contain everything that another implementation needs.
func TestRevocation_Vectors(t *testing.T) {
	if *updateVectors {
		writeVectors(t)
	}
	cases, err := vector.Load(revocationVectors)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(cases), 90)
	section := regexp.MustCompile(`RFC \d{4}, \d`)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			assert.Regexp(t, section, c.Fields["origin"])
			config := vectorConfig(t, c)
			checker, err := revocation.New(config)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, checker.Close()) })
			require.Equal(t, "traefik", c.Fields["source"])
			require.Equal(t, "chain", c.Fields["policy"])
			chain := certauth.Chain{Roots: certauth.PEM(c.Files["roots.pem"]), Intermediates: certauth.PEM(c.Files["intermediates.pem"])}
			auth, err := certauth.New(certauth.Config{
				Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Now: config.Now,
				Policy: certauth.All{chain, certauth.NotRevoked{Checker: checker}},
			})
			require.NoError(t, err)
			headers, err := c.Headers()
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(t.Context())
			for _, h := range headers {
				r.Header.Add(h[0], h[1])
			}
			_, err = auth.Check(r)
			assert.Equal(t, c.Fields["expect"], outcomeOf(t, err), "%s: %v", c.Fields["origin"], err)
			if word := c.Fields["fault"]; word != "" {
				require.Contains(t, vectorFaults, word)
				assert.ErrorIs(t, err, vectorFaults[word], c.Fields["origin"])
			}
			if url := c.Fields["delta"]; url != "" {
				vectorDelta(t, c, url, config.Now())
			}
		})
	}
}

func outcomeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "accepted"
	}
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return string(refused.Reason)
}

// vectorConfig reads "not-revoked" and the following words: crl or ocsp for only lists or answers,
// chain for all certificates below the root instead of the leaf, and no-source to accept
// certificates that name no source.
func vectorConfig(t *testing.T, c vector.Case) revocation.Config {
	t.Helper()
	now, err := c.Time()
	require.NoError(t, err)
	config := revocation.Config{Scope: revocation.LeafOnly, Now: func() time.Time { return now }, Fetcher: vectorNetwork(t, c)}
	words := strings.Fields(c.Fields["rule"])
	require.NotEmpty(t, words)
	require.Equal(t, "not-revoked", words[0])
	for _, word := range words[1:] {
		switch word {
		case "crl":
			config.Sources = revocation.CRLOnly
		case "ocsp":
			config.Sources = revocation.OCSPOnly
		case "chain":
			config.Scope = revocation.ChainExceptAnchor
		case "no-source":
			config.AllowNoSource = true
		default:
			require.Failf(t, "unknown word", "%q", word)
		}
	}
	if text := c.Files["issuers.pem"]; text != "" {
		config.Issuers = vectorCertificates(t, text)
	}
	for name, content := range c.Files {
		if strings.HasPrefix(name, "list ") {
			path := filepath.Join(t.TempDir(), strings.TrimPrefix(name, "list "))
			require.NoError(t, os.WriteFile(path, vectorBytes(t, content), 0o600))
			config.Lists = append(config.Lists, revocation.List{File: path})
		}
	}
	return config
}

// vectorFetcher answers from sections "get URL" and "post URL". A GET request of RFC 6960, appendix
// A.1, follows the URL of the responder.
type vectorFetcher map[string][]byte

func vectorNetwork(t *testing.T, c vector.Case) vectorFetcher {
	t.Helper()
	net := vectorFetcher{}
	for name, content := range c.Files {
		if strings.HasPrefix(name, "get ") || strings.HasPrefix(name, "post ") {
			net[name] = vectorBytes(t, content)
		}
	}
	return net
}

func (net vectorFetcher) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	for name, content := range net {
		method, url, _ := strings.Cut(name, " ")
		if strings.EqualFold(method, r.Method) && (r.URL == url || strings.HasPrefix(r.URL, url+"/")) {
			return revocation.Response{Body: content}, nil
		}
	}
	return revocation.Response{}, revocation.ErrTransport
}

func vectorBytes(t *testing.T, text string) []byte {
	t.Helper()
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text, "\n", ""))
	require.NoError(t, err)
	return content
}

func vectorCertificates(t *testing.T, text string) []*x509.Certificate {
	t.Helper()
	var all []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		all = append(all, cert)
	}
	require.NotEmpty(t, all)
	return all
}

// vectorDelta reads "missing URL" and "used URL URL": the complete list, alone or with the delta at
// the other URL, reports whether one is missing.
func vectorDelta(t *testing.T, c vector.Case, text string, now time.Time) {
	t.Helper()
	words := strings.Fields(text)
	require.GreaterOrEqual(t, len(words), 2)
	headers, err := c.Headers()
	require.NoError(t, err)
	first, _, _ := strings.Cut(headers[0][1], ",")
	leaf, err := x509.ParseCertificate(vectorBytes(t, first))
	require.NoError(t, err)
	issuer := vectorCertificates(t, c.Files["intermediates.pem"])[0]
	list, err := evidence.ParseCRL(vectorBytes(t, c.Files["get "+words[1]]), issuer, at(now))
	require.NoError(t, err)
	if words[0] == "used" {
		require.Len(t, words, 3)
		list, err = list.WithDelta(vectorBytes(t, c.Files["get "+words[2]]), issuer, at(now))
		require.NoError(t, err)
	}
	result, err := list.Lookup(leaf, at(now))
	require.NoError(t, err)
	assert.Equal(t, words[0] == "missing", result.DeltaMissing)
}
