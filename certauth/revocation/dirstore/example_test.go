package dirstore_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
)

// Two processes of a service share a directory: what one has fetched, the other finds.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "revocation") // in production one that outlives the process, mode 0700
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	one, err := dirstore.New(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	other, err := dirstore.New(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := one.Set(ctx, "crl-1f2e", []byte("the CRL's DER"), time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	der, ok, err := other.Get(ctx, "crl-1f2e")
	fmt.Println("the other finds:", string(der), ok, err)
	// Output:
	// the other finds: the CRL's DER true <nil>
}
