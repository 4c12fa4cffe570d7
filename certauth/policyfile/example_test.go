package policyfile_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "policy")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "policy.json")
	document := `{
	  "source": {"appService": {}},
	  "policy": {"publicKey": ["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]}
	}`
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		panic(err)
	}

	auth, err := policyfile.Open(path, certauth.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = auth.Close() }()
	server := &http.Server{Addr: ":8080", Handler: http.NotFoundHandler(), ReadHeaderTimeout: 10 * time.Second}
	if err := auth.ConfigureServer(server); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.ListenAndServe())
	// Output:
	// policy.json:3:15: policy.publicKey: unknown member; did you mean "publicKeys"?
}
