"""The test machine's own Kubernetes cluster and MinIO, built from source where no container registry can be reached.

Rule: nothing here is imported by the product. Whatever is started is recorded by id and ends by that id; whatever is
built lies in a cache outside the checkout.
"""
