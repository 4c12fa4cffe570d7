package revocation_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// Two processes of a service share a directory: what one has fetched, the other finds, and
// only one of them fetches.
func ExampleNewDirectoryStore() {
	dir, err := os.MkdirTemp("", "revocation") // in production one that outlives the process, mode 0700
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	one, err := revocation.NewDirectoryStore(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	other, err := revocation.NewDirectoryStore(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	release, granted, err := one.Lease(ctx, "crl-1f2e", 30*time.Second)
	if err != nil || !granted {
		fmt.Println("not granted", err)
		return
	}
	_, second, err := other.Lease(ctx, "crl-1f2e", 30*time.Second)
	fmt.Println("the other fetches too:", second, err)

	if err := one.Set(ctx, "crl-1f2e", []byte("the CRL's DER"), time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	release(ctx)
	der, ok, err := other.Get(ctx, "crl-1f2e")
	fmt.Println("the other finds:", string(der), ok, err)
	// Output:
	// the other fetches too: false <nil>
	// the other finds: the CRL's DER true <nil>
}
