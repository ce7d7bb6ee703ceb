"""Applicability domain: does an observation lie where models have learned, and may its answer be believed?"""
