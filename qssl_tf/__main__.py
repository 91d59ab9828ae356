"""`python -m qssl_tf` is `qssl`."""

from qssl_tf.cli.main import main

if __name__ == "__main__":
    main()
