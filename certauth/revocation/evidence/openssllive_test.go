package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// openssl writes OCSP responses and CRLs to files; no server runs.
type openssl struct {
	path, folder string
}

func findOpenSSL(t *testing.T) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatal("CERTAUTH_REQUIRE_REAL=1: openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	return &openssl{path: path, folder: t.TempDir()}
}

func (o *openssl) run(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), o.path, arguments...)
	command.Dir = o.folder
	output, err := command.CombinedOutput()
	require.NoError(t, err, "openssl %v: %s", arguments, output)
}

func (o *openssl) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(o.folder, name), content, 0o600))
}

func (o *openssl) read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(o.folder, name))
	require.NoError(t, err)
	return content
}

func (o *openssl) writeIdentity(t *testing.T, name string, of *identity) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(of.key)
	require.NoError(t, err)
	o.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: of.cert.Raw}))
	o.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

// indexLine is a certificate and the reason of its revocation, empty if it is not revoked.
type indexLine struct {
	reason string
	of     *identity
}

func (o *openssl) writeIndex(t *testing.T, lines ...indexLine) {
	t.Helper()
	const layout = "060102150405Z"
	var index bytes.Buffer
	for _, line := range lines {
		kind, revocation := "V", ""
		if line.reason != "" {
			kind, revocation = "R", time.Now().Add(-time.Hour).UTC().Format(layout)+","+line.reason
		}
		fmt.Fprintf(&index, "%s\t%s\t%s\t%X\tunknown\t/O=Contoso/CN=%s\n", kind, line.of.cert.NotAfter.UTC().Format(layout), revocation,
			line.of.cert.SerialNumber.Bytes(), line.of.cert.Subject.CommonName)
	}
	o.write(t, "index.txt", index.Bytes())
}

// liveScene has certificates that are valid by the real clock, which openssl uses for signing, and
// openssl's index: other is revoked, held is on hold, absent is not in it.
func liveScene(t *testing.T, o *openssl, rsa bool) (s *scene, delegate, held, absent *identity) {
	t.Helper()
	from, to := time.Now().Add(-24*time.Hour), time.Now().Add(100*24*time.Hour)
	live := valid(from, to)
	key := newKey(t)
	if rsa {
		key = rsaKey(t, 2048)
	}
	s = &scene{root: makeCert(t, "Root", newKey(t), nil, asCA, live)}
	s.ca = makeCert(t, "Clients CA", key, s.root, asCA, live)
	points := extra(ocsptest.DistributionPoints(ocsptest.Point(uri(shardA))))
	client := func(name string) *identity { return makeCert(t, name, newKey(t), s.ca, asClient, live, points) }
	s.client, s.other, held, absent = client("client"), client("other"), client("held"), client("absent")
	delegate = makeCert(t, "responder", newKey(t), s.ca, asDelegate, live)
	for name, one := range map[string]*identity{"ca": s.ca, "client": s.client, "other": s.other, "held": held, "absent": absent, "responder": delegate} {
		o.writeIdentity(t, name, one)
	}
	o.writeIndex(t, indexLine{"", s.client}, indexLine{"keyCompromise", s.other}, indexLine{"certificateHold", held})
	o.write(t, "number", []byte("1001\n"))
	o.write(t, "ca.cnf", []byte(`[ca]
default_ca = this
[this]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 1
[plain]
authorityKeyIdentifier = keyid
[shard_a]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
[a]
fullname = URI:`+shardA+`
onlyuser = TRUE
[shard_b]
issuingDistributionPoint = critical, @b
[b]
fullname = URI:`+shardB+`
[indirect]
issuingDistributionPoint = critical, @i
[i]
fullname = URI:`+shardA+`
indirectCRL = TRUE
[reasons]
issuingDistributionPoint = critical, @r
[r]
fullname = URI:`+shardA+`
onlysomereasons = keyCompromise, CACompromise
[delta]
2.5.29.27 = critical, DER:02:02:10:00
[base]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
freshestCRL = URI:http://crl.example/delta
[delta_of_base]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
2.5.29.27 = critical, DER:02:02:10:01
[delta_of_a_later_base]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
2.5.29.27 = critical, DER:02:02:10:02
`))
	return s, delegate, held, absent
}

func TestVerifyOCSP_ResponsesOfOpenSSL(t *testing.T) {
	o := findOpenSSL(t)
	for kind, rsa := range map[string]bool{"ECDSA": false, "RSA": true} {
		s, _, held, absent := liveScene(t, o, rsa)
		byIssuer, byDelegate := []string{"-rsigner", "ca.pem", "-rkey", "ca.key"}, []string{"-rsigner", "responder.pem", "-rkey", "responder.key"}
		for _, c := range []struct {
			name      string
			about     *identity
			arguments []string
			status    evidence.Status
			reason    int
			err       error
		}{
			{"good, by the issuer", s.client, byIssuer, evidence.Good, -1, nil},
			{"good, by a delegate", s.client, byDelegate, evidence.Good, -1, nil},
			{"good, by a delegate named by key", s.client, append(byDelegate[:4:4], "-resp_key_id"), evidence.Good, -1, nil},
			{"good, no certificates", s.client, append(byIssuer[:4:4], "-resp_no_certs"), evidence.Good, -1, nil},
			{"good, asked by SHA-256", s.client, byIssuer, evidence.Good, -1, nil},
			{"good, signed with SHA-512", s.client, append(byIssuer[:4:4], "-rmd", "sha512"), evidence.Good, -1, nil},
			{"revoked", s.other, byDelegate, evidence.Revoked, 1, nil},
			{"on hold", held, byDelegate, evidence.Revoked, 6, nil},
			{"unknown", absent, byDelegate, evidence.Unknown, -1, nil},
			{"a corrupt signature", s.client, append(byIssuer[:4:4], "-badsig"), evidence.Unavailable, 0, evidence.ErrBadSignature},
			{"signed with SHA-1", s.client, append(byIssuer[:4:4], "-rmd", "sha1"), evidence.Unavailable, 0, evidence.ErrWeakAlgorithm},
			{"by a client", s.client, []string{"-rsigner", "other.pem", "-rkey", "other.key"}, evidence.Unavailable, 0, evidence.ErrResponderNotAuthorized},
			{"by the client itself", s.client, []string{"-rsigner", "client.pem", "-rkey", "client.key"}, evidence.Unavailable, 0, evidence.ErrResponderNotAuthorized},
		} {
			t.Run(kind+" "+c.name, func(t *testing.T) {
				name := c.about.cert.Subject.CommonName
				hash := "-sha1"
				if c.name == "good, asked by SHA-256" {
					hash = "-sha256"
				}
				o.run(t, "ocsp", hash, "-issuer", "ca.pem", "-cert", name+".pem", "-reqout", "request.der")
				o.run(t, append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-reqin", "request.der", "-respout", "response.der", "-ndays", "1"}, c.arguments...)...)
				der, terms := o.read(t, "response.der"), at(time.Now())
				terms.NonceMode, terms.Nonce = evidence.NonceRequire, nonceOf(t, o.read(t, "request.der"))
				result, err := evidence.VerifyOCSP(der, c.about.cert, s.ca.cert, terms)
				expect(t, result, err, c.status, c.err)
				assert.Equal(t, c.reason, result.Reason)
				if c.err == nil {
					terms.Nonce = append([]byte{1}, terms.Nonce...)
					result, err = evidence.VerifyOCSP(der, c.about.cert, s.ca.cert, terms)
					expect(t, result, err, evidence.Unavailable, evidence.ErrNonce)
					terms.NonceMode, terms.Now = evidence.NonceOff, time.Now().Add(25*time.Hour)
					result, err = evidence.VerifyOCSP(der, c.about.cert, s.ca.cert, terms)
					expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
				}
			})
		}
	}
}

// nonceOf reads the nonce from a request that openssl wrote.
func nonceOf(t *testing.T, request []byte) []byte {
	t.Helper()
	oid := ocsptest.OID(ocsptest.OIDNonce)
	rest := request[indexOnce(t, request, oid)+len(oid):]
	var value, nonce []byte
	_, err := asn1.Unmarshal(rest, &value)
	require.NoError(t, err)
	_, err = asn1.Unmarshal(value, &nonce)
	require.NoError(t, err)
	require.NotEmpty(t, nonce)
	return nonce
}

func TestVerifyCRL_ListsOfOpenSSL(t *testing.T) {
	o := findOpenSSL(t)
	for kind, rsa := range map[string]bool{"ECDSA": false, "RSA": true} {
		s, _, held, absent := liveScene(t, o, rsa)
		for _, c := range []struct {
			name      string
			about     *identity
			section   string
			arguments []string
			status    evidence.Status
			reason    int
			err       error
		}{
			{"not listed", s.client, "plain", nil, evidence.Good, -1, nil},
			{"revoked", s.other, "plain", nil, evidence.Revoked, 1, nil},
			{"on hold", held, "plain", nil, evidence.Revoked, 6, nil},
			{"never heard of", absent, "plain", nil, evidence.Good, -1, nil},
			{"our shard, not listed", s.client, "shard_a", nil, evidence.Good, -1, nil},
			{"our shard, revoked", s.other, "shard_a", nil, evidence.Revoked, 1, nil},
			{"another shard", s.client, "shard_b", nil, evidence.Unavailable, 0, evidence.ErrCRLScope},
			{"an indirect list", s.client, "indirect", nil, evidence.Unavailable, 0, evidence.ErrCRLScope},
			{"some reasons, not listed", s.client, "reasons", nil, evidence.Unavailable, 0, evidence.ErrCRLIncomplete},
			{"some reasons, revoked", s.other, "reasons", nil, evidence.Revoked, 1, nil},
			{"a delta", s.client, "delta", nil, evidence.Unavailable, 0, evidence.ErrCRLScope},
			{"signed with SHA-1", s.client, "plain", []string{"-md", "sha1"}, evidence.Unavailable, 0, evidence.ErrWeakAlgorithm},
		} {
			t.Run(kind+" "+c.name, func(t *testing.T) {
				o.run(t, append([]string{"ca", "-config", "ca.cnf", "-gencrl", "-cert", "ca.pem", "-keyfile", "ca.key", "-crlexts", c.section, "-out", "list.pem"}, c.arguments...)...)
				o.run(t, "crl", "-in", "list.pem", "-outform", "DER", "-out", "list.der")
				for _, name := range []string{"list.pem", "list.der"} {
					result, err := bothWays(t)(o.read(t, name), c.about.cert, s.ca.cert, at(time.Now()))
					expect(t, result, err, c.status, c.err)
					assert.Equal(t, c.reason, result.Reason)
				}
				if c.err == nil {
					result, err := bothWays(t)(o.read(t, "list.der"), c.about.cert, s.ca.cert, at(time.Now().Add(25*time.Hour)))
					expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
				}
			})
		}
	}
}

// Case 85 with lists of openssl, whose own verdict on list and delta is also checked.
func TestCRL_DeltasOfOpenSSL(t *testing.T) {
	o := findOpenSSL(t)
	s, _, held, absent := liveScene(t, o, false)
	generate := func(section string) []byte {
		o.run(t, "ca", "-config", "ca.cnf", "-gencrl", "-cert", "ca.pem", "-keyfile", "ca.key", "-crlexts", section, "-out", section+".pem")
		return o.read(t, section+".pem")
	}
	base, err := evidence.ParseCRL(generate("base"), s.ca.cert, at(time.Now()))
	require.NoError(t, err)
	assert.Equal(t, big.NewInt(0x1001), base.Number())
	assert.Equal(t, []string{"http://crl.example/delta"}, base.FreshestURLs())
	o.writeIndex(t, indexLine{"removeFromCRL", held}, indexLine{"superseded", s.client})
	merged, err := base.WithDelta(generate("delta_of_base"), s.ca.cert, at(time.Now()))
	require.NoError(t, err)
	assert.Equal(t, big.NewInt(0x1002), merged.Number())
	later := generate("delta_of_a_later_base")
	_, err = base.WithDelta(later, s.ca.cert, at(time.Now()))
	assert.ErrorIs(t, err, evidence.ErrDeltaMismatch)
	_, err = evidence.ParseCRL(later, s.ca.cert, at(time.Now()))
	assert.ErrorIs(t, err, evidence.ErrCRLScope)
	for _, c := range []struct {
		name           string
		of             *identity
		before, behind evidence.Status
	}{
		{"case 85 revoked since", s.client, evidence.Good, evidence.Revoked},
		{"case 85 revoked before", s.other, evidence.Revoked, evidence.Revoked},
		{"case 85 on hold, and removed", held, evidence.Revoked, evidence.Good},
		{"case 85 in neither", absent, evidence.Good, evidence.Good},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, of := range map[string]struct {
				list   *evidence.CRL
				status evidence.Status
				lists  []string
			}{"list": {base, c.before, []string{"base.pem"}}, "list and delta": {merged, c.behind, []string{"base.pem", "delta_of_base.pem"}}} {
				result, err := of.list.Lookup(c.of.cert, at(time.Now()))
				expect(t, result, err, of.status, nil)
				assert.Equal(t, of.status == evidence.Good, o.accepts(t, c.of, of.lists...), "openssl verify with %s", name)
			}
		})
	}
}

// accepts returns the verdict of openssl verify, from lists given as files.
func (o *openssl) accepts(t *testing.T, of *identity, lists ...string) bool {
	t.Helper()
	arguments := []string{"verify", "-partial_chain", "-trusted", "ca.pem", "-crl_check", "-extended_crl", "-use_deltas"}
	for _, list := range lists {
		arguments = append(arguments, "-CRLfile", list)
	}
	command := exec.CommandContext(t.Context(), o.path, append(arguments, of.cert.Subject.CommonName+".pem")...)
	command.Dir = o.folder
	output, err := command.CombinedOutput()
	if err != nil {
		require.Contains(t, string(output), "certificate revoked")
	}
	return err == nil
}
