package certauth_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// A result found under the system's roots is remembered for at most ten minutes, because it is not
// known here which of them were candidates, and an acceptance never beyond the dates of its chain,
// while a refusal may last for the ten minutes. The system's roots are read once per process, so
// another process is used.
func TestChain_AnswersUnderTheSystemsRootsDoNotOutliveTheirDates(t *testing.T) {
	const variable = "CERTAUTH_TEST_SYSTEM_DATES"
	if folder := os.Getenv(variable); folder != "" {
		judgeSystemDates(t, folder)
		return
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("there the platform verifies, and takes its roots from no file")
	}
	folder := t.TempDir()
	var roots bytes.Buffer
	for name, dates := range map[string][2]time.Time{
		"lasting":  {noon.AddDate(-5, 0, 0), noon.AddDate(5, 0, 0)},
		"ending":   {noon.AddDate(-5, 0, 0), noon.Add(5 * time.Minute)},
		"young":    {noon.Add(-5 * time.Minute), noon.AddDate(5, 0, 0)},
		"upcoming": {noon.Add(5 * time.Minute), noon.AddDate(5, 0, 0)},
	} {
		ca := certauthtest.NewCA(t, name, certauthtest.Valid(dates[0], dates[1]))
		roots.Write(ca.PEM())
		leaf := ca.Issue(t, "client", certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".pem"), leaf.PEM(), 0o600))
	}
	file := filepath.Join(folder, "roots.pem")
	require.NoError(t, os.WriteFile(file, roots.Bytes(), 0o600))
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), variable+"="+folder, "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+t.TempDir())
	output, err := command.CombinedOutput()
	assert.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "--- PASS: "+t.Name())
}

func judgeSystemDates(t *testing.T, folder string) {
	t.Helper()
	const minute = time.Minute
	for _, tc := range []struct {
		name string
		leaf string
		at   []time.Duration // from noon, in the order of the requests
		want []bool          // whether the leaf has a chain then
	}{
		{"a root that stays", "lasting", []time.Duration{0, 9 * minute, 11 * minute, -11 * minute}, []bool{true, true, true, true}},
		{"a root that ends", "ending", []time.Duration{0, 5 * minute, 5*minute + time.Second, -6 * minute}, []bool{true, true, false, true}},
		{"a root that has begun, and a clock that goes back", "young", []time.Duration{0, -5 * minute, -5*minute - time.Second, 6 * minute}, []bool{true, true, false, true}},
		{"a root that is going to begin", "upcoming", []time.Duration{0, 16 * minute, 0}, []bool{false, true, false}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(folder, tc.leaf+".pem"))
			require.NoError(t, err)
			leaf := decodePEM(t, content)
			time := &clock{}
			public := certauth.All{certauth.Chain{Roots: certauth.InsecureSystemRoots()}, certauth.Organizations{"certauthtest"}}
			// The pin keeps the certificate remembered when it does not chain.
			policy := certauth.Any{certauth.Named{Name: "public", Policy: public}, certauth.Certificates(leaf)}
			c := newCached(t, meaning(map[string]*x509.Certificate{"a|": leaf}), policy, func(c *certauth.Config) { c.Now = time.now })
			for i, at := range tc.at {
				time.set(noon.Add(at))
				for range 2 { // a result that was just found counts too
					id := c.once(t, certauth.ReasonNone, "a")
					assert.Equal(t, tc.want[i], len(id.Matched) == 1, "%v from noon", at)
				}
			}
		})
	}
}
