package outbound_test

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func TestDirectory_ChoosesTheBest(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	valid := func(from, to int) certauthtest.Template {
		return certauthtest.Valid(start.Add(time.Duration(from)*day), start.Add(time.Duration(to)*day))
	}
	issuing := w.clients.NewIntermediate(t, "Issuing")
	older, newer := issue(t, w.clients, "orders", valid(-20, 50)), issue(t, w.clients, "orders", valid(-1, 20))
	future, expired := issue(t, w.clients, "orders", valid(1, 90)), issue(t, w.clients, "orders", valid(-90, -1))
	billing, server := issue(t, w.clients, "billing", valid(-2, 60)), w.clients.Issue(t, "orders", certauthtest.Usage(x509.ExtKeyUsageServerAuth), valid(0, 80))
	below := issue(t, issuing, "orders", valid(-1, 30))
	named := issue(t, w.clients, "orders", valid(-3, 30), certauthtest.DNS("orders.contoso.example"), certauthtest.URI(t, "spiffe://contoso/orders"))
	thumbprint := sha1.Sum(older.Raw)
	azure := strings.ToUpper(hex.EncodeToString(thumbprint[:]))
	for _, tc := range []struct {
		name     string
		files    map[string][]byte
		selected outbound.Select
		leaf     *certauthtest.Certificate
		chain    int
		want     outbound.Reason
	}{
		{name: "the newest of two that are valid", files: map[string][]byte{"a.pem": bundle(t, older), "b.pem": bundle(t, newer)}, leaf: newer},
		{name: "the one whose time has come", files: map[string][]byte{"a.pem": bundle(t, future), "b.pem": bundle(t, older)}, leaf: older},
		{name: "the one that has not expired", files: map[string][]byte{"a.pem": bundle(t, expired), "b.pem": bundle(t, older)}, leaf: older},
		{name: "not a server's", files: map[string][]byte{"a.pem": bundle(t, server), "b.pem": bundle(t, older)}, leaf: older},
		{name: "key, certificate and intermediate in files of their own", files: map[string][]byte{
			"tls.key": keyPEM(t, below.Key), "tls.crt": certPEM(below.Certificate), "issuing.der": issuing.Certificate.Raw, "root.cer": w.clients.PEM(),
		}, leaf: below, chain: 1},
		{name: "files of the SPIFFE helper", files: map[string][]byte{
			"svid.pem": certPEM(named.Certificate), "svid_key.pem": keyPEM(t, named.Key), "svid_bundle.pem": w.clients.PEM(),
		}, selected: outbound.Select{SAN: "spiffe://contoso/orders"}, leaf: named},
		{name: "by subject", files: map[string][]byte{"a.pem": bundle(t, billing), "b.pem": bundle(t, older)}, selected: outbound.Select{Subject: "CN=orders,O=certauthtest"}, leaf: older},
		{name: "by DNS name in another case", files: map[string][]byte{"a.pem": bundle(t, named), "b.pem": bundle(t, newer)}, selected: outbound.Select{SAN: "Orders.Contoso.Example"}, leaf: named},
		{name: "by thumbprint as Azure shows it", files: map[string][]byte{"a.pem": bundle(t, older), "b.pem": bundle(t, newer)}, selected: outbound.Select{Thumbprints: []string{azure}}, leaf: older},
		{name: "by thumbprint as Windows copies it", files: map[string][]byte{"a.pem": bundle(t, older), "b.pem": bundle(t, newer)}, selected: outbound.Select{Thumbprints: []string{"\u200e" + spaced(strings.ToLower(azure))}}, leaf: older},
		{name: "by fingerprints of both, the newest", files: map[string][]byte{"a.pem": bundle(t, older), "b.pem": bundle(t, newer)}, selected: outbound.Select{Thumbprints: []string{azure, fingerprint(newer.Certificate)}}, leaf: newer},
		{name: "beside a file that is not to be read", files: map[string][]byte{"a.pem": []byte("-----BEGIN CERTIFICATE-----\n"), "b.pem": bundle(t, older)}, leaf: older},
		{name: "beside files of other kinds and hidden ones", files: map[string][]byte{"README": nil, "a.txt": []byte("x"), ".b.pem": bundle(t, newer), "c.pem": bundle(t, older)}, leaf: older},
		{name: "the same one twice", files: map[string][]byte{"a.pem": bundle(t, older), "b.pem": bundle(t, older)}, leaf: older},

		{name: "two names and no selection", files: map[string][]byte{"a.pem": bundle(t, billing), "b.pem": bundle(t, older)}, want: outbound.ReasonAmbiguous},
		{name: "one subject with other alternative names", files: map[string][]byte{"a.pem": bundle(t, named), "b.pem": bundle(t, older)}, want: outbound.ReasonAmbiguous},
		{name: "all expired", files: map[string][]byte{"a.pem": bundle(t, expired)}, want: outbound.ReasonCertificateExpired},
		{name: "none valid yet", files: map[string][]byte{"a.pem": bundle(t, future)}, want: outbound.ReasonCertificateNotYetValid},
		{name: "a server's alone", files: map[string][]byte{"a.pem": bundle(t, server)}, want: outbound.ReasonUsageNotAllowed},
		{name: "the selected one without its key", files: map[string][]byte{"a.pem": certPEM(older.Certificate), "b.pem": keyPEM(t, newer.Key)}, want: outbound.ReasonKeyMissing},
		{name: "the selected one without its key, beside another", files: map[string][]byte{"a.pem": certPEM(older.Certificate), "b.pem": bundle(t, billing)}, selected: outbound.Select{Subject: "CN=orders,O=certauthtest"}, want: outbound.ReasonKeyMissing},
		{name: "another alone", files: map[string][]byte{"b.pem": bundle(t, billing)}, selected: outbound.Select{Subject: "CN=orders,O=certauthtest"}, want: outbound.ReasonNotSelected},
		{name: "an empty folder", files: nil, want: outbound.ReasonSourceUnavailable},
		{name: "only a file that is not to be read", files: map[string][]byte{"a.p12": []byte("once more")}, want: outbound.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(folder, "below.pem"), 0o700))
			for name, content := range tc.files {
				write(t, filepath.Join(folder, name), content)
			}
			config := outbound.Config{Source: outbound.Directory{Path: folder}, Select: tc.selected}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			status := open(t, config).Status()
			assert.Equal(t, fingerprint(tc.leaf.Certificate), status.Fingerprint)
			assert.Equal(t, tc.chain, status.Intermediates)
		})
	}
}

func spaced(text string) string {
	var pairs []string
	for i := 0; i < len(text); i += 2 {
		pairs = append(pairs, text[i:i+2])
	}
	return strings.Join(pairs, " ")
}

// While a file is being written, the older certificate in another file must not replace the newer one in use. After the
// file is permanently removed, it must.
func TestDirectory_APartialFileDoesNotTurnTheClockBack(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	older := issue(t, w.clients, "orders", certauthtest.Valid(time.Now().Add(-9*day), time.Now().Add(50*day)))
	newer := issue(t, w.clients, "orders")
	write(t, filepath.Join(folder, "a.pem"), bundle(t, older))
	write(t, filepath.Join(folder, "b.pem"), bundle(t, newer))
	own := open(t, outbound.Config{Source: outbound.Directory{Path: folder}, Interval: time.Hour})
	assert.Equal(t, fingerprint(newer.Certificate), own.Status().Fingerprint)
	write(t, filepath.Join(folder, "b.pem"), bundle(t, newer)[:200])
	reasonIs(t, own.Reload(t.Context()), outbound.ReasonMalformed)
	assert.Equal(t, fingerprint(newer.Certificate), own.Status().Fingerprint)
	require.NoError(t, os.Remove(filepath.Join(folder, "b.pem")))
	require.NoError(t, own.Reload(t.Context()))
	assert.Equal(t, fingerprint(older.Certificate), own.Status().Fingerprint)
}

// finding O21: the same if the certificate and its key are in two files, of which one was replaced before the other, or
// is just being written. The older certificate was presented meanwhile.
func TestDirectory_HalfOfAPairDoesNotTurnTheClockBack(t *testing.T) {
	w := newWorld(t)
	older := issue(t, w.clients, "orders", certauthtest.Valid(time.Now().Add(-9*day), time.Now().Add(50*day)))
	newer := issue(t, w.clients, "orders")
	newest := issue(t, w.clients, "orders", certauthtest.Valid(time.Now().Add(-time.Hour), time.Now().Add(150*day)))
	stranger := issue(t, w.clients, "stranger")
	for _, tc := range []struct {
		name      string
		cert, key []byte
		want      outbound.Reason
		presented *certauthtest.Certificate
	}{
		{"the certificate of the next pair", certPEM(newest.Certificate), keyPEM(t, newer.Key), outbound.ReasonKeyMissing, newer},
		{"the key of the next pair", certPEM(newer.Certificate), keyPEM(t, newest.Key), outbound.ReasonKeyMissing, newer},
		{"a key that is cut", certPEM(newer.Certificate), keyPEM(t, newer.Key)[:80], outbound.ReasonMalformed, newer},
		{"a certificate that is cut", certPEM(newer.Certificate)[:80], keyPEM(t, newer.Key), outbound.ReasonMalformed, newer},
		{"the next pair", certPEM(newest.Certificate), keyPEM(t, newest.Key), "", newest},
		{"the same pair", certPEM(newer.Certificate), keyPEM(t, newer.Key), "", newer},
		{"a certificate of another name, without a key", certPEM(stranger.Certificate), nil, "", older},
		{"nothing any more", nil, nil, "", older},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder := t.TempDir()
			put := func(cert, key []byte) {
				for name, content := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
					if path := filepath.Join(folder, name); content != nil {
						write(t, path, content)
					} else {
						require.NoError(t, os.Remove(path))
					}
				}
			}
			write(t, filepath.Join(folder, "a.pem"), bundle(t, older))
			put(certPEM(newer.Certificate), keyPEM(t, newer.Key))
			own := open(t, outbound.Config{Source: outbound.Directory{Path: folder}, Interval: time.Hour})
			require.Equal(t, fingerprint(newer.Certificate), own.Status().Fingerprint)
			put(tc.cert, tc.key)
			if err := own.Reload(t.Context()); tc.want != "" {
				reasonIs(t, err, tc.want)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, fingerprint(tc.presented.Certificate), own.Status().Fingerprint)
			put(certPEM(newest.Certificate), keyPEM(t, newest.Key))
			require.NoError(t, own.Reload(t.Context()))
			assert.Equal(t, fingerprint(newest.Certificate), own.Status().Fingerprint)
		})
	}
}

// finding O34: a renewed certificate that could not be used, because of its password, a missing key or its usage, left no
// record beside the one in use, so that it was noticed only when that one expired.
func TestDirectory_ReportsARenewalThatHasNoEffect(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	inUse := issue(t, w.clients, "orders", certauthtest.Valid(now.Add(-80*day), now.Add(50*day)))
	server := issue(t, w.clients, "orders", certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	for _, tc := range []struct {
		name    string
		content []byte
		want    outbound.Reason
		text    string
	}{
		{"a PFX with another password", fixture(t, "modern.p12"), outbound.ReasonPasswordWrong, "new.pfx"},
		{"text", []byte("renewed\n"), outbound.ReasonMalformed, "new.pfx"},
		{"the certificate without its key", certPEM(server.Certificate), outbound.ReasonKeyMissing, fingerprint(server.Certificate)[:16]},
		{"for servers only, as public CAs issue them", bundle(t, server), outbound.ReasonUsageNotAllowed, fingerprint(server.Certificate)[:16]},
		{"an older one without its key", certPEM(issue(t, w.clients, "orders", certauthtest.Valid(now.Add(-90*day), now.Add(day))).Certificate), "", ""},
		{"one of another name without its key", certPEM(issue(t, w.clients, "billing").Certificate), "", ""},
		{"one that is not valid yet", bundle(t, issue(t, w.clients, "orders", certauthtest.Valid(now.Add(day), now.Add(90*day)))), "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder, journal := t.TempDir(), &journal{}
			write(t, filepath.Join(folder, "old.pem"), bundle(t, inUse))
			own := open(t, outbound.Config{Source: outbound.Directory{Path: folder}, Interval: time.Hour, Observe: journal.observe})
			write(t, filepath.Join(folder, "new.pfx"), tc.content)
			for range 3 {
				require.NoError(t, own.Reload(t.Context()))
			}
			assert.Equal(t, fingerprint(inUse.Certificate), own.Status().Fingerprint)
			warned := journal.of(outbound.OutcomeWarned)
			if tc.want == "" {
				assert.Empty(t, warned)
				return
			}
			require.Len(t, warned, 1, "once, until something changes")
			reasonIs(t, warned[0].Err, tc.want)
			assert.Contains(t, warned[0].Err.Error(), tc.text)
			assert.Equal(t, fingerprint(inUse.Certificate), warned[0].Fingerprint)

			require.NoError(t, own.Close())
			open(t, outbound.Config{Source: outbound.Directory{Path: folder}, Interval: time.Hour, Observe: journal.observe})
			loaded := journal.of(outbound.OutcomeLoaded)
			assert.Equal(t, tc.want, loaded[len(loaded)-1].Reason(), "after a restart")
		})
	}
}

// finding O23: of a folder whose files have other names, as the CSI driver of Key Vault writes them, the error said
// only "no certificate", and the hint asked whether the file exists and may be read.
// inUTF8 writes the subject, which is certauthtest's for this common name, as UTF8String.
func inUTF8(t *testing.T, commonName string) certauthtest.Template {
	t.Helper()
	text := func(last int, value string) []pkix.AttributeTypeAndValue {
		return []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, last}, Value: asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)}}}
	}
	name, err := asn1.Marshal(pkix.RDNSequence{text(10, "certauthtest"), text(3, commonName)})
	require.NoError(t, err)
	return func(c *x509.Certificate) { c.RawSubject = name }
}

// finding O46: RFC 5280, section 7.1, compares names as text, whatever string types they have. A CA that began to write
// UTF8String issued renewals that no load accepted, because they seemed to be another identity's.
func TestDirectory_ARenewalMayHaveOtherStringTypes(t *testing.T) {
	ca, folder := certauthtest.NewCA(t, "CA"), t.TempDir()
	now := time.Now()
	old := issue(t, ca, "orders")
	renewed := issue(t, ca, "orders", inUTF8(t, "orders"), certauthtest.Valid(now.Add(-time.Hour), now.Add(365*day)))
	require.Equal(t, old.Subject.String(), renewed.Subject.String())
	require.NotEqual(t, old.RawSubject, renewed.RawSubject)
	write(t, filepath.Join(folder, "old.pem"), bundle(t, old))
	own := open(t, outbound.Config{Source: outbound.Directory{Path: folder}})
	write(t, filepath.Join(folder, "renewed.pem"), bundle(t, renewed))
	require.NoError(t, own.Reload(t.Context()))
	assert.Equal(t, renewed.Thumbprint(), own.Status().Fingerprint)
}

func TestDirectory_SaysThatFilesHaveOtherNames(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	config := outbound.Config{Source: outbound.Directory{Path: folder}}
	for _, name := range []string{"", "orders", "orders.txt", ".orders.pem"} {
		if name != "" {
			write(t, filepath.Join(folder, name), bundle(t, issue(t, w.clients, "orders")))
		}
		err := refused(t, config, outbound.ReasonSourceUnavailable)
		assert.ErrorContains(t, err, "no file in "+folder+" is named .p12,")
		assert.Contains(t, err.Hint, "is read with File")
	}
	write(t, filepath.Join(folder, "orders.pem"), bundle(t, issue(t, w.clients, "orders")))
	open(t, config)
}

func TestAppService_Folder(t *testing.T) {
	w := newWorld(t)
	folder, intermediates := t.TempDir(), t.TempDir()
	t.Setenv("WEBSITE_PRIVATE_CERTS_PATH", folder)
	t.Setenv("WEBSITE_LOAD_CERTIFICATES", "")
	config := outbound.Config{Source: outbound.AppService{}, Interval: time.Hour, Now: at(then)}
	t.Run("nothing is loaded because the setting is missing", func(t *testing.T) {
		assert.Contains(t, refused(t, config, outbound.ReasonSourceUnavailable).Hint, "WEBSITE_LOAD_CERTIFICATES is not set")
	})
	t.Setenv("WEBSITE_LOAD_CERTIFICATES", "*")
	t.Run("nothing is loaded although the setting is there", func(t *testing.T) {
		assert.Contains(t, refused(t, config, outbound.ReasonSourceUnavailable).Hint, "does WEBSITE_LOAD_CERTIFICATES name")
	})
	t.Run("the folder is missing", func(t *testing.T) {
		t.Setenv("WEBSITE_PRIVATE_CERTS_PATH", filepath.Join(folder, "none"))
		refused(t, config, outbound.ReasonSourceUnavailable)
	})
	for _, name := range []string{"0123456789ABCDEF0123456789ABCDEF01234567.p12", "0123456789abcdef0123456789abcdef01234567.p12", "x.PFX"} {
		t.Run("the name of the file does not matter: "+name, func(t *testing.T) {
			path := filepath.Join(folder, name)
			write(t, path, fixture(t, "3des-empty.p12"))
			defer func() { require.NoError(t, os.Remove(path)) }()
			assert.Equal(t, 1, open(t, config).Status().Intermediates)
		})
	}
	t.Run("intermediates from their folder, but no key", func(t *testing.T) {
		t.Setenv("WEBSITE_INTERMEDIATE_CERTS_PATH", intermediates)
		issuing := w.clients.NewIntermediate(t, "Issuing")
		write(t, filepath.Join(intermediates, "issuing.pem"), append(certPEM(issuing.Certificate), bundle(t, issue(t, w.clients, "stray"))...))
		write(t, filepath.Join(folder, "own.pem"), bundle(t, issue(t, issuing, "orders")))
		now := config
		now.Now = nil
		status := open(t, now).Status()
		assert.Equal(t, "CN=orders,O=certauthtest", status.Subject)
		assert.Equal(t, 1, status.Intermediates)

		// finding O24: a folder that cannot be read was as good as an empty one, so that nobody was told why the
		// chain is not whole.
		for path, want := range map[string]string{filepath.Join(intermediates, "issuing.pem"): "not a directory", filepath.Join(intermediates, "none"): ""} {
			t.Setenv("WEBSITE_INTERMEDIATE_CERTS_PATH", path)
			var told journal
			now.Observe = told.observe
			assert.Zero(t, open(t, now).Status().Intermediates)
			loaded := told.of(outbound.OutcomeLoaded)
			require.Len(t, loaded, 1)
			if want == "" {
				assert.Nil(t, loaded[0].Err)
				continue
			}
			require.NotNil(t, loaded[0].Err)
			assert.ErrorContains(t, loaded[0].Err, path+": "+want)
		}
	})
}

func TestEnv_Variables(t *testing.T) {
	w := newWorld(t)
	leaf := issue(t, w.clients, "orders")
	for _, tc := range []struct {
		name, value, key string
		want             outbound.Reason
	}{
		{"PEM with both", string(bundle(t, leaf)), "", ""},
		{"PEM in two variables", string(certPEM(leaf.Certificate)), string(keyPEM(t, leaf.Key)), ""},
		{"a reference that was not resolved", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/orders)", "", outbound.ReasonReferenceUnresolved},
		{"the same in other letters and spaces", " @microsoft.keyvault(VaultName=v;SecretName=orders)", "", outbound.ReasonReferenceUnresolved},
		{"one to App Configuration", "@Microsoft.AppConfiguration(Endpoint=https://store.azconfig.io; Key=orders)", "", outbound.ReasonReferenceUnresolved}, // finding N60
		{"not set", "", "", outbound.ReasonSourceUnavailable},
		{"line ends that were escaped", strings.ReplaceAll(string(bundle(t, leaf)), "\n", `\n`), "", outbound.ReasonMalformed},
		{"something else", "hunter2", "", outbound.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("OWN_CERT", tc.value)
			source := outbound.Env{Name: "OWN_CERT"}
			if tc.key != "" {
				t.Setenv("OWN_KEY", tc.key)
				source.Key = "OWN_KEY"
			}
			if tc.want != "" {
				refused(t, outbound.Config{Source: source}, tc.want)
				return
			}
			assert.Equal(t, fingerprint(leaf.Certificate), open(t, outbound.Config{Source: source}).Status().Fingerprint)
		})
	}
}

// Kubernetes replaces a secret by moving one symbolic link. A read during the move may see one file of each version,
// and must never present a certificate with the key of the other.
func TestFile_SymlinkSwapRaces(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	d := w.serve(t, nil, nil)
	var leafs []*certauthtest.Certificate
	version := func(i int) string {
		leaf := issue(t, w.clients, "orders")
		leafs = append(leafs, leaf)
		name := filepath.Join(folder, "..v"+string(rune('a'+i)))
		require.NoError(t, os.Mkdir(name, 0o700))
		write(t, filepath.Join(name, "tls.crt"), certPEM(leaf.Certificate))
		write(t, filepath.Join(name, "tls.key"), keyPEM(t, leaf.Key))
		return filepath.Base(name)
	}
	swap := func(to string) {
		require.NoError(t, os.Symlink(to, filepath.Join(folder, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	}
	names := []string{version(0), version(1)}
	swap(names[0])
	for _, name := range []string{"tls.crt", "tls.key"} {
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name)))
	}
	for name, source := range map[string]outbound.Source{
		"two files": outbound.File{Path: filepath.Join(folder, "tls.crt"), Key: filepath.Join(folder, "tls.key")},
		"a folder":  outbound.Directory{Path: folder},
	} {
		t.Run(name, func(t *testing.T) {
			config := w.config()
			config.Source = source
			own := open(t, config)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						swap(names[i%2])
					}
				}
			}()
			for range 100 {
				_ = own.Reload(t.Context()) // a swap may occur during each attempt; then the last pair stays
				if err := dial(d, own.TLSConfig("127.0.0.1")); !assert.NoError(t, err) {
					break
				}
				cert, err := own.GetClientCertificate(asking())
				require.NoError(t, err)
				assert.Equal(t, cert.Leaf.PublicKey, cert.PrivateKey.(crypto.Signer).Public())
			}
			close(stop)
			<-stopped
			swap(names[1])
			require.NoError(t, own.Reload(t.Context()))
			assert.Equal(t, fingerprint(leafs[1].Certificate), own.Status().Fingerprint)
		})
	}
}

// Same size, same time of change, different content: only the content counts.
func TestFile_OnlyTheContentCounts(t *testing.T) {
	w := newWorld(t)
	first := w.put(t, "orders")
	path := w.path("tls.pem")
	stamp := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, stamp, stamp))
	own := open(t, w.config())
	half := bundle(t, first)
	copy(half[len(half)/2:], make([]byte, len(half)))
	write(t, path, half) // overwritten in place, half of it
	require.NoError(t, os.Chtimes(path, stamp, stamp))
	reasonIs(t, own.Reload(t.Context()), outbound.ReasonMalformed)
	assert.Equal(t, fingerprint(first.Certificate), own.Status().Fingerprint)

	var second *certauthtest.Certificate
	for size := len(bundle(t, first)); second == nil; {
		if candidate := issue(t, w.clients, "orders"); len(bundle(t, candidate)) == size {
			second = candidate
		}
	}
	write(t, path, bundle(t, second))
	require.NoError(t, os.Chtimes(path, stamp, stamp))
	require.NoError(t, own.Reload(t.Context()))
	assert.Equal(t, fingerprint(second.Certificate), own.Status().Fingerprint)
}

func TestOpen_MistakesComeAllAtOnce(t *testing.T) {
	var nobody outbound.Fetch
	_, err := outbound.Open(t.Context(), outbound.Config{
		Source: outbound.File{}, ServerRoots: nobody, Interval: time.Millisecond,
		Select: outbound.Select{
			Subject: "orders", SAN: " ",
			Thumbprints: []string{"", "../../../etc/passwd", "0123456789ABCDEF0123456789ABCDEF01234567/../x", strings.Repeat("0", 42)},
		},
		ServerKeys: []string{"x", "00"},
	})
	require.Error(t, err)
	for _, want := range []string{
		"11 mistakes", "Source.File.Path: empty", "ServerRoots: a nil value", "Interval: 1ms", "Select.Subject", "Select.SAN: blank",
		"Select.Thumbprints[0]", "Select.Thumbprints[1]", "Select.Thumbprints[2]", "Select.Thumbprints[3]: 21 bytes", "ServerKeys[0]", "ServerKeys[1]: 1 bytes",
	} {
		assert.ErrorContains(t, err, want)
	}
	for name, config := range map[string]outbound.Config{
		"nothing":          {},
		"a nil Fetch":      {Source: nobody},
		"no variable":      {Source: outbound.Env{}},
		"no folder":        {Source: outbound.Directory{}},
		"no thumbprints":   {Source: outbound.AppService{}, Select: outbound.Select{Thumbprints: []string{}}},
		"no pins":          {Source: outbound.AppService{}, ServerKeys: []string{}},
		"a nil pointer":    {Source: (*outbound.File)(nil)},
		"negative pauses":  {Source: outbound.AppService{}, Interval: -time.Hour},
		"roots of nowhere": {Source: outbound.AppService{}, ServerRoots: outbound.File{}},
	} {
		_, err := outbound.Open(t.Context(), config)
		assert.ErrorContains(t, err, "outbound: 1 mistake in Config: ", name)
	}
}

// Decisions that depend on dates are made again when a date passes, although no byte has changed.
func TestDirectory_DatesPass(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	valid := func(from, to int) certauthtest.Template {
		return certauthtest.Valid(start.Add(time.Duration(from)*day), start.Add(time.Duration(to)*day))
	}
	orders, billing := issue(t, w.clients, "orders", valid(-1, 50)), issue(t, w.clients, "billing", valid(20, 30))
	current, older := issue(t, w.clients, "orders", valid(-1, 10)), issue(t, w.clients, "orders", valid(-2, 50))
	var passed atomic.Int64 // days
	openIn := func(t *testing.T, folder string) *outbound.Certificate {
		passed.Store(0)
		return open(t, outbound.Config{Source: outbound.Directory{Path: folder}, Interval: time.Hour, Now: func() time.Time {
			return start.Add(time.Duration(passed.Load()) * day)
		}})
	}
	t.Run("two names are ambiguous only while both are valid", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "a.pem"), bundle(t, orders))
		write(t, filepath.Join(folder, "b.pem"), bundle(t, billing))
		own := openIn(t, folder)
		passed.Store(25)
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonAmbiguous)
		passed.Store(35)
		require.NoError(t, own.Reload(t.Context()))
		assert.Equal(t, fingerprint(orders.Certificate), own.Status().Fingerprint)
	})
	t.Run("a file that stays damaged holds the older one back only until the newer one has expired", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "a.pem"), bundle(t, older))
		write(t, filepath.Join(folder, "b.pem"), bundle(t, current))
		own := openIn(t, folder)
		write(t, filepath.Join(folder, "b.pem"), []byte("-----BEGIN"))
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonMalformed)
		assert.Equal(t, fingerprint(current.Certificate), own.Status().Fingerprint)
		passed.Store(11)
		require.NoError(t, own.Reload(t.Context()))
		assert.Equal(t, fingerprint(older.Certificate), own.Status().Fingerprint)
	})
}

func TestReload_BothSourcesFail(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	own := open(t, w.config())
	replace(t, w.path("tls.pem"), []byte("x"))
	replace(t, w.path("roots.pem"), []byte("y"))
	err := own.Reload(t.Context())
	reasonIs(t, err, outbound.ReasonMalformed)
	assert.ErrorContains(t, err, "tls.pem")
	assert.ErrorContains(t, err, "roots.pem")
	require.Len(t, w.journal.of(outbound.OutcomeKept), 1)
	// A complete file is used while another is incomplete.
	leaf := w.put(t, "orders")
	err = own.Reload(t.Context())
	assert.ErrorContains(t, err, "roots.pem")
	assert.NotContains(t, err.Error(), "tls.pem")
	assert.Equal(t, fingerprint(leaf.Certificate), own.Status().Fingerprint)
}

// finding O30: a program that prints the error of Open, as log.Fatal does, did not print the next step, which no
// record has either, because nothing is logged before the first load succeeds.
func TestOpen_ItsErrorEndsWithTheNextStep(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "tls.pem")
	_, err := outbound.Open(t.Context(), outbound.Config{Source: outbound.File{Path: missing}})
	failed := reasonIs(t, err, outbound.ReasonSourceUnavailable)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, "outbound: Source.File: source_unavailable: "+missing+": no such file or directory (does the file, variable or secret exist, and may this process read it?)", failed.Error())

	t.Setenv("WEBSITE_PRIVATE_CERTS_PATH", t.TempDir())
	t.Setenv("WEBSITE_LOAD_CERTIFICATES", "")
	_, err = outbound.Open(t.Context(), outbound.Config{Source: outbound.AppService{}})
	assert.ErrorContains(t, err, "(WEBSITE_LOAD_CERTIFICATES is not set: ")
}
