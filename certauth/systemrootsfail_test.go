package certauth_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// The doc of InsecureSystemRoots and New: roots that cannot be loaded are a mistake, found at
// start. A process loads them once, so another process is used.
func TestNew_SystemRootsThatCannotBeLoaded(t *testing.T) {
	const inside = "CERTAUTH_TEST_BROKEN_ROOTS"
	if os.Getenv(inside) != "" {
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("s"), Policy: certauth.All{certauth.Chain{Roots: certauth.InsecureSystemRoots()}, certauth.CommonNames{"client"}},
		})
		assert.Nil(t, auth)
		assert.ErrorContains(t, err, "Policy.All[0].Chain.Roots: system roots: ")
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("other systems use the variables of crypto/x509 in other ways")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "roots.pem")
	require.NoError(t, os.Mkdir(file, 0o700)) // a directory, which cannot be read as a file
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.Mkdir(empty, 0o700))
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNew_SystemRootsThatCannotBeLoaded$", "-test.count=1")
	child.Env = append(os.Environ(), inside+"=1", "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+empty)
	out, err := child.CombinedOutput()
	assert.NoError(t, err, "%s", out)
}
